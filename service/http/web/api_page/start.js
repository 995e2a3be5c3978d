// Swagger UI on this service's own description. The validator is off: it belongs to another host.
import { askForKey, keyHeader } from "../page/key.js";

const DESCRIPTION = "openapi.json";

function show() {
  globalThis.SwaggerUIBundle({
    url: DESCRIPTION,
    dom_id: "#swagger-ui",
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    validatorUrl: null,
    requestInterceptor: (request) => ({ ...request, headers: { ...keyHeader(), ...request.headers } }),
  });
}

async function start() {
  const response = await fetch(DESCRIPTION, { headers: keyHeader() });
  if (response.ok) {
    show();
    return;
  }
  document.getElementById("problem").textContent = (await response.json()).detail;
  askForKey(document.getElementById("key"), () => {
    document.getElementById("problem").textContent = "";
    start();
  });
}

start();

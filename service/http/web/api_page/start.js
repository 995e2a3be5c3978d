// Swagger UI on this service's own description. No validator: it is another host's.
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
  const found = await fetch(DESCRIPTION, { headers: keyHeader() });
  if (found.ok) {
    show();
    return;
  }
  document.getElementById("problem").textContent = (await found.json()).detail;
  askForKey(document.getElementById("key"), () => {
    document.getElementById("problem").textContent = "";
    start();
  });
}

start();

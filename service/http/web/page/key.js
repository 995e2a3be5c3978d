// The API key of the page's requests, if the service needs one. It is kept for this tab only.

const NAME = "demur-key";

/** The header of a request with the key. */
export function keyHeader() {
  const key = sessionStorage.getItem(NAME);
  return key === null ? {} : { "X-API-Key": key };
}

/** Ask for a key with this form; `entered` is called once there is one. */
export function askForKey(form, entered) {
  const field = form.querySelector("input");
  form.hidden = false;
  field.value = "";
  field.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    const key = field.value.trim();
    // Other characters are not valid in a header, and no key has them.
    if (!/^[\x21-\x7e]+$/.test(key)) return;
    sessionStorage.setItem(NAME, key);
    form.hidden = true;
    entered();
  };
}

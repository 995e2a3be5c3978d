// The API key that the page asks with, where the service needs one. It stays in this tab, and goes with it.

const NAME = "demur-key";

/** What a request says of it. */
export function keyHeader() {
  const key = sessionStorage.getItem(NAME);
  return key === null ? {} : { "X-API-Key": key };
}

/** Ask for a key by the form with this id, above what stands there; `entered` is called when there is one. */
export function askForKey(form, entered) {
  const field = form.querySelector("input");
  form.hidden = false;
  field.value = "";
  field.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    const key = field.value.trim();
    // A header takes no other characters, and no key has any.
    if (!/^[\x21-\x7e]+$/.test(key)) return;
    sessionStorage.setItem(NAME, key);
    form.hidden = true;
    entered();
  };
}

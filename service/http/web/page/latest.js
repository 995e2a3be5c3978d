// One request at a time: of the requests made while an answer is pending, only the latest is kept. So a slider sends
// requests as fast as the service answers them, without a timer.

/** `send(request)` returns a promise; `show` gets its result and the request, `fail` its error. */
export function latest(send, show, fail) {
  let waiting = null;
  let busy = false;
  return async (request) => {
    waiting = { request };
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        let result;
        try {
          result = await send(next.request);
        } catch (error) {
          fail(error);
          continue;
        }
        show(result, next.request);
      }
    } finally {
      busy = false;
    }
  };
}

// One question at a time: while an answer is awaited, of those that come meanwhile only the last is kept. So a slider
// asks as often as the service answers, and never waits for a clock.

/** `ask(question)` gives a promise; `show` gets what it holds, `fail` why there is none. */
export function latest(ask, show, fail) {
  let waiting = null;
  let busy = false;
  return async (question) => {
    waiting = { question };
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        let found;
        try {
          found = await ask(next.question);
        } catch (error) {
          fail(error);
          continue;
        }
        show(found, next.question);
      }
    } finally {
      busy = false;
    }
  };
}

// How often somebody may try: a few failures are free, after those each one doubles the wait before the next attempt.

const FREE_FAILURES = 5;
const LONGEST_WAIT_SECONDS = 300;
const FORGOTTEN_AFTER_SECONDS = 3600;
const ACCOUNTS_KEPT = 100_000;

export class Attempts {
  #accounts = new Map();

  // Returns the response of `send`, or the seconds to wait before the next attempt. One attempt of an account at a time, or
  // a thousand at once would all be free. `successForgives`: whether a good answer means that nothing was guessed.
  async run(account, send, successForgives) {
    const record = this.#find(account);
    const turn = record.turn.then(async () => {
      const waitMilliseconds = record.blockedUntil - Date.now();
      if (waitMilliseconds > 0) return Math.ceil(waitMilliseconds / 1000);
      const response = await send();
      if (response.ok && successForgives) {
        record.failures = 0;
      } else if (response.status < 500) {
        record.failures += 1;
        const doublings = record.failures - FREE_FAILURES;
        if (doublings >= 0) record.blockedUntil = Date.now() + Math.min(2 ** doublings, LONGEST_WAIT_SECONDS) * 1000;
      }
      return response;
    });
    record.turn = turn.catch(() => {});
    return turn;
  }

  #find(account) {
    const now = Date.now();
    let record = this.#accounts.get(account);
    if (record === undefined || now - record.usedAt > FORGOTTEN_AFTER_SECONDS * 1000) {
      record = { failures: 0, blockedUntil: 0, turn: Promise.resolve() };
    }
    record.usedAt = now;
    // A map keeps the order of insertion, so the account that was tried longest ago comes first.
    this.#accounts.delete(account);
    this.#accounts.set(account, record);
    if (this.#accounts.size > ACCOUNTS_KEPT) this.#accounts.delete(this.#accounts.keys().next().value);
    return record;
  }
}

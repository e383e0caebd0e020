// Asks for the figures once a second, whatever view is shown: they also tell whether
// the server is there.

import { Figures } from "./figures.js";
import { Refused } from "./client.js";

const EVERY = 1000; // milliseconds
const PATIENCE = 5000;

/** Monitor polls GET /v1/status and tells listeners of every answer and of every failure. */
export class Monitor {
  #timer = 0;
  #turn = 0; // grows with each start, so that answers to an older one are dropped
  #client = null;
  #listeners = new Set();

  constructor() {
    this.figures = new Figures();
    this.status = null;
    this.lost = null; // since when there was no answer, in seconds of clock()
  }

  /** clock is the time of the figures: seconds that do not jump. */
  clock() {
    return performance.now() / 1000;
  }

  /** on has a listener called after every change. */
  on(listener) {
    this.#listeners.add(listener);
  }

  /** start begins anew with a client and the status it was just given. */
  start(client, status) {
    this.stop();
    this.#client = client;
    this.figures.reset();
    this.lost = null;
    this.#take(status);
    this.#next(EVERY);
  }

  /** stop asks no more. */
  stop() {
    clearTimeout(this.#timer);
    this.#turn++;
  }

  #next(delay) {
    const turn = this.#turn;
    this.#timer = setTimeout(() => this.#poll(turn), delay);
  }

  async #poll(turn) {
    const began = performance.now();
    let status = null;
    let error = null;
    try {
      status = await this.#client.status(AbortSignal.timeout(PATIENCE));
    } catch (e) {
      error = e;
    }
    if (turn !== this.#turn) return;
    if (status) {
      this.lost = null;
      this.#take(status);
    } else {
      const now = this.clock();
      this.lost ??= now;
      this.figures.lost(now);
      this.#tell(error);
      if (error instanceof Refused && [401, 403, 404].includes(error.status)) return; // asking again will not help
    }
    this.#next(Math.max(100, EVERY - (performance.now() - began)));
  }

  #take(status) {
    this.status = status;
    this.figures.add(status, this.clock());
    this.#tell(null);
  }

  #tell(error) {
    for (const listener of this.#listeners) listener(error);
  }
}

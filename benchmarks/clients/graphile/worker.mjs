// graphile-worker by its own API: `worker.mjs install|work DATABASE_URL`; `work` runs until SIGTERM.
// Batching as its page on performance sets it: jobs fetched by hundreds, completions written together.
import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Logger, run, runMigrations } from "graphile-worker";

const [verb, connectionString] = process.argv.slice(2);
const logger = new Logger(() => (level, message) => {
  if (level === "error") console.error(message);
});

// The same account as tally.py keeps.
class Tally {
  #expected = Number(process.env.BENCH_EXPECTED);
  #report = process.env.BENCH_REPORT;
  #count = 0;
  #begin = 0;
  #cpu;

  hit() {
    if (this.#count === 0) {
      writeFileSync(this.#report.replace(/\.json$/, ".begun"), "");
      this.#begin = performance.now();
      this.#cpu = process.cpuUsage();
    }
    this.#count += 1;
    if (this.#count >= this.#expected) this.#write();
  }

  #write() {
    const seconds = (performance.now() - this.#begin) / 1e3;
    const { user, system } = process.cpuUsage(this.#cpu);
    const said = { messages: this.#count, timed: this.#count - 1, seconds, cpu: (user + system) / 1e6 };
    writeFileSync(`${this.#report}.new`, JSON.stringify(said));
    renameSync(`${this.#report}.new`, this.#report);
  }
}

if (verb === "install") {
  await runMigrations({ connectionString, logger });
} else {
  const concurrentJobs = Number(process.env.BENCH_CONCURRENCY);
  const rest = process.env.BENCH_WORK === "1ms" ? 1 : 0;
  const tally = new Tally();
  const noop = async () => {
    if (rest) await sleep(rest);
    tally.hit();
  };
  const worker = {
    connectionString,
    concurrentJobs,
    maxPoolSize: concurrentJobs + 1,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  };
  const runner = await run({ preset: { worker }, logger, taskList: { noop } });
  await runner.promise;
}

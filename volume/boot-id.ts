import { readFileSync } from "node:fs";

/** The kernel's own id of this boot; a cloned or restarted machine has another. */
export const readBootId = (): string =>
  readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

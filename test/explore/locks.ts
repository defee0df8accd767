/** The locks that an agent holds while a step works; they end with the agent. */
import { stepKind } from "../../workflows/deploy/steps.ts";
import type { NodeWorld, TaskWorld } from "./world.ts";

type Lock = "project" | "stage";

const lockOf = ({ step }: TaskWorld): Lock | null => {
  switch (stepKind(step)) {
    case "seal":
    case "unstart":
    case "start":
    case "return":
      return "project";
    case "prepare":
    case "hydrate":
      return "stage";
    default:
      return null;
  }
};

/** Health is waited for without the lock. */
const HEALTH_STAGE = 2;

const holds = (task: TaskWorld): boolean => {
  const kind = stepKind(task.step);
  const isStart = kind === "start" || kind === "return";
  return task.stage > 0 && !(isStart && task.stage >= HEALTH_STAGE);
};

/** Whether another step's work makes this one stand where it read the record. */
export const isLockedOut = ({ tasks }: NodeWorld, task: TaskWorld): boolean =>
  tasks.some((other) => other !== task && holds(other) && lockOf(other) === lockOf(task));

/** Whether a step is in the way of the agent's own actions. */
export const isAgentLockedOut = ({ tasks }: NodeWorld): boolean =>
  tasks.some((task) => holds(task) && lockOf(task) === "project");

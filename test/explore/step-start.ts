/** `start-e…` and `return-e…`: directories, then the containers behind closed gates, then health. */
import { stepKind } from "../../workflows/deploy/steps.ts";
import { isLeaseGood } from "../../workflows/node/reconcile.ts";
import {
  asNode,
  findMissing,
  handToDaemon,
  isAllowed,
  isRunning,
  materialise,
  sessionOf,
} from "./materialise.ts";
import { fenceByView, finish, giveUp, proceed, type StepScene, withTasks } from "./step-scene.ts";
import type { NodeWorld, Outcome } from "./world.ts";

export const advanceStart = (scene: StepScene): Outcome[] => {
  const { task, stage, node } = scene;
  if (stage === 0) {
    const fenced = fenceByView(scene);
    if (fenced === node) return startNext({ ...scene, stage: 1 });
    return [{ label: `${task.step}: writes its fence`, node: proceed(scene, fenced) }];
  }
  return stage === 1 ? startNext(scene) : awaitHealth(scene);
};

const ordersOf = ({ rules, view, name, deploy }: StepScene) =>
  rules
    .assignNode(view, asNode(name))
    .run.filter(({ container, mayHydrate }) => mayHydrate && container in deploy.containers);

/** One directory or one start at a time; each looks at the fence as it stands then. */
const startNext = (scene: StepScene): Outcome[] => {
  const { node, store, rules, task, hasLeases } = scene;
  for (const order of ordersOf(scene)) {
    if (isRunning(node, order)) continue;
    if (node.queued.some((q) => q.container === order.container && q.epoch === order.epoch)) {
      continue;
    }
    const isOld = order.leases.length > 0 && sessionOf(node) !== task.heldSince;
    if (isOld || !isLeaseGood(order, sessionOf(node))) {
      return [
        { label: `${task.step}: its lease does not hold, and it ends`, node: giveUp(scene, node) },
      ];
    }
    if (!isAllowed(node, order, rules)) return [refuse(scene, node, "the start is fenced")];
    const missing = findMissing(node, order);
    if (missing === undefined) {
      const what = `${task.step}: asks the daemon to start ${order.container} e${order.epoch}`;
      const session = task.session ?? node.session;
      const started = hasLeases ? { ...task, session } : task;
      const tasks = [...node.tasks.filter((other) => other !== task), started];
      return [{ label: what, node: withTasks(handToDaemon(node, order), tasks) }];
    }
    const made = materialise(node, store, missing, order.mayHydrate, rules);
    if (made === null) return [refuse(scene, node, `no data of ${missing.name}`)];
    return [{ label: `${task.step}: makes ${missing.name} live-e${missing.epoch}`, node: made }];
  }
  return awaitHealth({ ...scene, stage: 2 });
};

/** On the way back nothing is reported as failed: the step is delivered again. */
const refuse = (scene: StepScene, node: NodeWorld, why: string): Outcome =>
  stepKind(scene.task.step) === "return"
    ? { label: `${scene.task.step}: ${why}, and it ends`, node: giveUp(scene, node) }
    : finish(scene, { isFailure: true, why });

const awaitHealth = (scene: StepScene): Outcome[] => {
  const { node, task, isSick } = scene;
  const isReturn = stepKind(task.step) === "return";
  const orders = ordersOf(scene);
  const isUp = orders.every((order) => isRunning(node, order));
  const isHealthy = isUp && orders.every(({ spec }) => !isSick(spec.image));
  if (isReturn) return [finish(scene, { why: isUp ? "up" : "not seen up" })];
  const failed = finish(scene, { isFailure: true, why: "not healthy" });
  return isHealthy ? [finish(scene, {}), failed] : [failed];
};

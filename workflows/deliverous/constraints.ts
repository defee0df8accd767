/** Placement constraints, as Compose and Swarm write them. */
import type { PlacementConstraint } from "../container-spec.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";

const CONSTRAINT = /^\s*(node\.\S+?)\s*(==|!=)\s*(\S+)\s*$/;
const LABEL = /^node\.labels\.([A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)$/;
const EXAMPLE = "write `node.labels.zone == eu` or `node.id != node-3`";

/** `node.labels.zone == eu` → a label to compare; `node.id != x` → a node to avoid. */
export const parseConstraint = (text: string): Outcome<PlacementConstraint> => {
  const match = CONSTRAINT.exec(text);
  if (match === null) return refuse(`"${text}" is not a constraint`, EXAMPLE);
  const [, subject = "", sign, value = ""] = match;
  const operator = sign === "==" ? "==" : "!=";
  if (subject === "node.id") return accept({ subject: "id", key: "id", operator, value });
  const key = LABEL.exec(subject)?.[1];
  return key === undefined
    ? refuse(`nodes can't be chosen by "${subject}"`, EXAMPLE)
    : accept({ subject: "label", key, operator, value });
};

export const renderConstraint = ({ subject, key, operator, value }: PlacementConstraint): string =>
  `${subject === "id" ? "node.id" : `node.labels.${key}`} ${operator} ${value}`;

/** Who is told of a project's events, as its settings name them. Secrets stand apart from this. */
import * as z from "zod";

export const SubscriberName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "small letters, digits and hyphens, 40 at most");

/** `deploy.ended`, or a whole family: `deploy.*`. */
const EventPattern = z.string().regex(/^(?:\*|[a-z]+(?:\.[a-z]+)*(?:\.\*)?)$/, "like deploy.*");

const common = {
  name: SubscriberName,
  /** Which events; empty: all. */
  events: z.array(EventPattern),
};

export const Subscriber = z.discriminatedUnion("kind", [
  /** A queue of the broker that the installation uses. */
  z.strictObject({ kind: z.literal("queue"), ...common, queue: z.string().min(1).max(80) }),
  /** An endpoint that gets each event by POST, signed. */
  z.strictObject({ kind: z.literal("http"), ...common, url: z.url() }),
  /** The state of a deploy, beside its commit at the forge. */
  z.strictObject({
    kind: z.literal("commit-status"),
    ...common,
    forge: z.enum(["github", "gitlab", "gitea"]),
    /** The forge's own address: `https://api.github.com`, `https://gitlab.example.org`. */
    url: z.url(),
    /** `owner/name`, or GitLab's path of the project. */
    repository: z.string().regex(/^[\w.-]+(?:\/[\w.-]+)+$/, "like owner/name"),
  }),
]);
export type Subscriber = z.infer<typeof Subscriber>;

/** Whether the subscriber wants events of this type. */
export const wants = ({ events }: Pick<Subscriber, "events">, type: string): boolean =>
  events.length === 0 ||
  events.some((pattern) =>
    pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern,
  );

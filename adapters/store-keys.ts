/** Every key of the control plane, computed in one place. Volumes' own keys are in volume/keys.ts. */
import type { DeployId, Epoch, NodeId, ProjectId, Revision, VolumeName } from "../workflows/ids.ts";

const REVISION_DIGITS = 10;

/** A folder for each project. */
export const PROJECTS_PREFIX = "projects/";

export const recordPrefix = (project: ProjectId): string => `projects/${project}/record/`;

/** Zero-padded, so that the order of a listing is the order of time. */
const padRevision = (rev: Revision): string => String(rev).padStart(REVISION_DIGITS, "0");

export const recordKey = (project: ProjectId, rev: Revision): string =>
  `${recordPrefix(project)}${padRevision(rev)}.json`;

/** Where to begin to look for the newest revision; never authoritative. */
export const recordHintKey = (project: ProjectId): string => `projects/${project}/record-latest`;

export const secretKey = (project: ProjectId): string => `projects/${project}/webhook-secret.json`;

/** How far each subscriber has been told, and what it is told with. */
export const toldKey = (project: ProjectId): string => `projects/${project}/events-told.json`;
export const subscriberSecretsKey = (project: ProjectId): string =>
  `projects/${project}/subscriber-secrets.json`;

/** The project's S3 space, with the key that its containers are given. */
export const spaceKey = (project: ProjectId): string => `projects/${project}/space.json`;

/** What a publisher knows of a volume's published files. */
export const publicationKey = (project: ProjectId, volume: VolumeName): string =>
  `projects/${project}/publications/${volume}.json`;

/** Which files of the bucket went into the volume's data of the epoch; created before they are used. */
export const takenPrefix = (project: ProjectId, volume: VolumeName): string =>
  `projects/${project}/taken/${volume}/`;
export const takenKey = (project: ProjectId, volume: VolumeName, epoch: Epoch): string =>
  `${takenPrefix(project, volume)}e${epoch}.json`;

/** S3 keys that were replaced, in the order in which they stop to work. */
export const EXPIRING_PREFIX = "expiring-keys/";
const MS_DIGITS = 15;
export const expiringKey = (atMs: number, project: ProjectId, accessKeyId: string): string =>
  `${EXPIRING_PREFIX}${String(atMs).padStart(MS_DIGITS, "0")}/${project}/${accessKeyId}`;

export const volumePrefix = (project: ProjectId, volume: VolumeName): string =>
  `projects/${project}/volumes/${volume}`;

export const reportPrefix = (project: ProjectId): string => `projects/${project}/reports/`;

export const reportKey = (
  project: ProjectId,
  deploy: DeployId,
  step: string,
  node: NodeId,
): string => `${reportPrefix(project)}${deploy}/${step}.${node}.json`;

/** How far the steps of running deploys are. Nobody relies on what stands here. */
export const progressPrefix = (project: ProjectId, deploy?: DeployId): string =>
  `projects/${project}/progress/${deploy === undefined ? "" : `${deploy}/`}`;
export const progressKey = (
  project: ProjectId,
  deploy: DeployId,
  step: string,
  node: NodeId,
): string => `${progressPrefix(project, deploy)}${step}.${node}.json`;

/** Answers of nodes to a plan's question; whoever asked deletes them. */
export const measuresPrefix = (project: ProjectId): string => `projects/${project}/measures/`;
export const measureKey = (project: ProjectId, requestId: string, node: NodeId): string =>
  `${measuresPrefix(project)}${requestId}.${node}.json`;

/** What came of a request for a warm copy; whoever asked deletes it. */
export const warmingsPrefix = (project: ProjectId): string => `projects/${project}/warmings/`;
export const warmingKey = (project: ProjectId, requestId: string, volume: VolumeName): string =>
  `${warmingsPrefix(project)}${requestId}.${volume}.json`;

export const receiptKey = (project: ProjectId, deploy: DeployId): string =>
  `projects/${project}/deploys/${deploy}.json`;

/** Created once per delivery of a forge: what tells a repeated delivery. */
export const inboxKey = (project: ProjectId, provider: string, delivery: string): string =>
  `projects/${project}/inbox/${provider}/${encodeURIComponent(delivery)}.json`;

/** Requests that no record holds yet. One listing of the prefix finds them all. */
export const PENDING_PREFIX = "pending/";
export const pendingKey = (project: ProjectId, requestId: string): string =>
  `${PENDING_PREFIX}${project}/${encodeURIComponent(requestId)}.json`;

/** Who swept last, and when. */
export const SWEPT_KEY = "swept.json";

/** Projects with outstanding duties; an idle project has no object here and costs nothing. */
export const OPEN_PREFIX = "open/";
export const openPrefix = (project: ProjectId): string => `${OPEN_PREFIX}${project}/`;
/**
 * Put before the revision that has the duties, and named after it: whoever finds an earlier revision
 * without any takes away the marks up to that one only.
 */
export const openKey = (project: ProjectId, rev: Revision): string =>
  `${openPrefix(project)}${padRevision(rev)}`;

/** Projects with ways in for edges to open; one listing finds them all. */
export const ROUTED_PREFIX = "edge/projects/";
export const routedKey = (project: ProjectId): string => `${ROUTED_PREFIX}${project}`;

/** Whose a host name is, as of the last deploy that asked for it. */
export const hostKey = (host: string): string => `edge/hosts/${host}.json`;

/** Edges that follow the records, each with the time of its last sign of life. */
export const EDGES_PREFIX = "edge/edges/";
export const edgeKey = (edge: NodeId): string => `${EDGES_PREFIX}${edge}.json`;

export const NODES_PREFIX = "nodes/";
export const heartbeatKey = (node: NodeId): string => `${NODES_PREFIX}${node}.json`;

/** What each node renews while it may hold volumes; see docs/protocol.md. */
export const LEASES_PREFIX = "leases/";
/** What the timer saw of them last, where each of its runs may be another process. */
export const LEASES_SEEN_KEY = "leases-seen.json";
export const leaseKey = (node: NodeId): string => `${LEASES_PREFIX}${node}.json`;

/** Nodes that take nothing new. */
export const CORDONS_PREFIX = "cordons/";
export const cordonKey = (node: NodeId): string => `${CORDONS_PREFIX}${node}.json`;

/** Tokens of the API, by the digest of their secret. */
export const TOKENS_PREFIX = "tokens/";
export const tokenKey = (digest: string): string => `${TOKENS_PREFIX}${digest}.json`;

/**
 * The lab's network: a switch and a host for each part, every one a network namespace of its own.
 * The switch holds a bridge, so that no packet filter of this machine sees what the hosts send each
 * other; this machine is plugged into it like any host, and reaches all of them. No host has a
 * default route: nothing that runs in the lab can reach beyond it. Names and addresses follow from
 * the lab's id alone.
 */
import { runCommand, tryCommand } from "./command.ts";

export interface LabHost {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
}

/** Last byte of each host's address; this machine has 1. */
const HOST_NUMBERS = { store: 10, queue: 11, x: 21, y: 22, z: 23 } as const;
export type HostName = keyof typeof HOST_NUMBERS;

/** The hosts that run a Docker engine. */
export const NODE_NAMES = ["x", "y", "z"] as const satisfies readonly HostName[];
export type NodeName = (typeof NODE_NAMES)[number];

/** An interface name has at most 15 bytes: `bagage-99` fits, with room for none but short ids. */
export const switchNamespace = (id: string): string => `bagage-${id}`;

export const machineAddress = (id: string): string => `10.213.${id}.1`;

export const labHost = (id: string, name: HostName): LabHost => ({
  name,
  namespace: `${switchNamespace(id)}-${name}`,
  address: `10.213.${id}.${HOST_NUMBERS[name]}`,
});

/** Lays the switch and the hosts. The id must have been claimed. */
export const createNetwork = async (
  id: string,
  hostNames: readonly HostName[],
  signal: AbortSignal,
): Promise<void> => {
  const ns = switchNamespace(id);
  const hosts = hostNames.map((name) => labHost(id, name));
  const ip = (...args: string[]) => runCommand(["ip", ...args], {}, signal);
  await ip("netns", "add", ns);
  await ip("-n", ns, "link", "add", "bridge", "type", "bridge");
  await ip("-n", ns, "link", "set", "bridge", "up");
  await ip("link", "add", ns, "type", "veth", "peer", "name", "machine", "netns", ns);
  await ip("address", "add", `${machineAddress(id)}/24`, "dev", ns);
  await ip("link", "set", ns, "up");
  await ip("-n", ns, "link", "set", "machine", "master", "bridge", "up");
  for (const { name, namespace, address } of hosts) {
    await ip("netns", "add", namespace);
    await ip("-n", namespace, "link", "set", "lo", "up");
    const port = ["type", "veth", "peer", "name", name, "netns", ns];
    await ip("-n", namespace, "link", "add", "eth0", ...port);
    await ip("-n", namespace, "address", "add", `${address}/24`, "dev", "eth0");
    await ip("-n", namespace, "link", "set", "eth0", "up");
    await ip("-n", ns, "link", "set", name, "master", "bridge", "up");
  }
};

/** Removes every namespace of the lab, and with them all links and filters. Idempotent. */
export const removeNetwork = async (id: string, signal: AbortSignal): Promise<void> => {
  for (const namespace of await labNamespaces(id, signal)) {
    await tryCommand(["ip", "netns", "delete", namespace], {}, signal);
  }
  await tryCommand(["ip", "link", "delete", switchNamespace(id)], {}, signal);
};

/** The lab's namespaces that exist, hosts first, the switch last. */
export const labNamespaces = async (id: string, signal: AbortSignal): Promise<string[]> => {
  const own = switchNamespace(id);
  const names = (await listNamespaces(signal)).filter(
    (name) => name === own || name.startsWith(`${own}-`),
  );
  return names.sort((a, b) => b.length - a.length);
};

/** Pids of the processes that run in the namespace itself (a container has one of its own). */
export const namespacePids = async (namespace: string, signal: AbortSignal): Promise<number[]> => {
  const { stdout } = await tryCommand(["ip", "netns", "pids", namespace], {}, signal);
  return stdout.split("\n").filter(Boolean).map(Number);
};

/**
 * The command line that runs a program on a lab host. Not `ip netns exec`: that mounts another
 * /sys, in which a Docker engine does not find its control groups.
 */
export const inNamespace = (
  namespace: string,
  argv: readonly [string, ...string[]],
): [string, ...string[]] => ["nsenter", `--net=/var/run/netns/${namespace}`, "--", ...argv];

/** Pulls the host's plug, or puts it back: a node that died or was cut off from everything. */
export const setLink = async (
  id: string,
  name: HostName,
  state: "up" | "down",
  signal: AbortSignal,
): Promise<void> => {
  await runCommand(["ip", "-n", switchNamespace(id), "link", "set", name, state], {}, signal);
};

/**
 * Cuts the way from one host to another address, or opens it again: a node that is cut off from the
 * store but reachable by clients. Connections that are open stay open and get no answer. Idempotent.
 */
export const setReachable = async (
  host: LabHost,
  address: string,
  state: "reachable" | "cut",
  signal: AbortSignal,
): Promise<void> => {
  const verb = state === "cut" ? "replace" : "delete";
  const route = ["ip", "-n", host.namespace, "route", verb, "blackhole", `${address}/32`] as const;
  if (state === "cut") await runCommand([...route], {}, signal);
  else await tryCommand([...route], {}, signal);
};

const listNamespaces = async (signal: AbortSignal): Promise<string[]> => {
  const { stdout } = await tryCommand(["ip", "netns", "list"], {}, signal);
  return stdout
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "")
    .filter(Boolean);
};

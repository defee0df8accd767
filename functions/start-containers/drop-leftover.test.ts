import { expect, test, vi } from "vitest";
import { dropLeftover, type LeftoverPorts } from "./drop-leftover.ts";

const { signal } = new AbortController();
const given = (user: Awaited<ReturnType<LeftoverPorts["processesUsing"]>>) => {
  const removeContainer = vi.fn(async () => undefined);
  const stopContainer = vi.fn(async () => ({ stopped: "clean" as const, exitCode: 0 }));
  const processesUsing = async (directory: string) => (directory === "/b" ? user : []);
  return { docker: { removeContainer, stopContainer }, processesUsing };
};

test("what an engine can't start any more is ended and removed", async () => {
  const ports = given([]);
  await dropLeftover(ports, "web", ["/a", "/b"], signal);
  expect(ports.docker.stopContainer).toHaveBeenCalledWith("web", 0, signal);
  expect(ports.docker.removeContainer).toHaveBeenCalledWith("web", signal);
});

test("it stays while another process has the data of any of its volumes open", async () => {
  const ports = given([{ pid: 1, command: "app", how: "mount" }]);
  await dropLeftover(ports, "web", ["/a", "/b"], signal);
  expect(ports.docker.removeContainer).not.toHaveBeenCalled();
});

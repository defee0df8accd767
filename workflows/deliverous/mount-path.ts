/** Where in a container a volume may be mounted. */
import { accept, type Outcome, refuse } from "./outcome.ts";

const PATH_LENGTH_MAX = 1024;

/** The kernel's own trees: a volume there, or anywhere below, would break the container. */
const KERNEL_TREES = ["/proc", "/sys", "/dev"];
/** The image's own programs and settings: a volume may hide a part of them, never all. */
const SYSTEM_DIRECTORIES = ["/bin", "/boot", "/etc", "/lib", "/lib64", "/sbin", "/usr"];

/** True where `inner` is `outer` or lies below it. */
export const isWithin = (inner: string, outer: string): boolean =>
  inner === outer || inner.startsWith(`${outer}/`);

/** An absolute path without `.`, `..`, `//`; one trailing slash is taken off. */
export const parseMountPath = (text: string): Outcome<string> => {
  const example = "write an absolute path such as /var/lib/data";
  const path = text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
  if (!path.startsWith("/")) return refuse(`the path "${text}" is not absolute`, example);
  if (path === "/") return refuse("a volume can't be the container's root", example);
  if (path.length > PATH_LENGTH_MAX || /\p{Cc}/u.test(path)) {
    return refuse("the path is too long or has control characters", example);
  }
  const segments = path.slice(1).split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) {
    return refuse(`the path "${text}" has an empty, "." or ".." part`, "write the path it means");
  }
  const tree = KERNEL_TREES.find((kernelTree) => isWithin(path, kernelTree));
  if (tree !== undefined) return refuse(`${tree} belongs to the kernel`, example);
  if (SYSTEM_DIRECTORIES.includes(path)) {
    return refuse(`a volume at ${path} would hide the image's own ${path}`, example);
  }
  return accept(path);
};

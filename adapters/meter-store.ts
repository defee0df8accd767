/** A store whose calls are told to somebody: what kind, how it ended, how long it took. */
import { BagageError } from "../volume/errors.ts";
import type { ObjectStore } from "../volume/object-store.ts";

/** One call. `create` is the conditional PUT; retries inside of it are not counted again. */
export interface StoreCall {
  readonly operation: "put" | "create" | "get" | "head" | "delete" | "list";
  /** `ok`, or an error's code. */
  readonly outcome: string;
  readonly seconds: number;
}
export type OnStoreCall = (call: StoreCall) => void;

const MS = 1_000;

export const meterStore = (store: ObjectStore, onCall: OnStoreCall): ObjectStore => {
  const timed: Timed = async (operation, call) => {
    const began = performance.now();
    const tell = (outcome: string): void =>
      onCall({ operation, outcome, seconds: (performance.now() - began) / MS });
    try {
      const result = await call();
      tell("ok");
      return result;
    } catch (error) {
      tell(error instanceof BagageError ? error.code : "error");
      throw error;
    }
  };
  return {
    ...store,
    put: (key, body, options, signal) =>
      timed(options.ifAbsent === true ? "create" : "put", () =>
        store.put(key, body, options, signal),
      ),
    get: (key, signal, range) => timed("get", () => store.get(key, signal, range)),
    head: (key, signal) => timed("head", () => store.head(key, signal)),
    delete: (keys, signal) => timed("delete", () => store.delete(keys, signal)),
    listFolders: (prefix, signal) => timed("list", () => store.listFolders(prefix, signal)),
    list: (prefix, signal) => meterList(store.list(prefix, signal), timed),
  };
};

type Timed = <T>(operation: StoreCall["operation"], call: () => Promise<T>) => Promise<T>;

/** A listing is timed by its pages' first items: what is done with them is not the store's time. */
async function* meterList<T>(listed: AsyncIterable<T>, timed: Timed): AsyncGenerator<T> {
  const iterator = listed[Symbol.asyncIterator]();
  const first = await timed("list", () => iterator.next());
  if (first.done === true) return;
  yield first.value;
  yield* { [Symbol.asyncIterator]: () => iterator };
}

import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import { describeObjectStore } from "./object-store-suite.ts";

describeObjectStore({
  name: "memory",
  open: async () => {
    const store = createMemoryObjectStore(Date.now);
    return [store, store];
  },
});

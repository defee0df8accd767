/** The file's JSON Schema for editors, made from the schema that parses it. */
import * as z from "zod";
import { DeliverousFile } from "./file-schema.ts";

/** Draft 7, which editors' YAML plug-ins know best. Pretty-printed, with a newline at the end. */
export const renderJsonSchema = (): string => {
  const schema = z.toJSONSchema(DeliverousFile, { io: "input", target: "draft-7" });
  const described = {
    $schema: schema.$schema,
    title: "Deliverous",
    description: "Containers by name, each with the volumes that travel with it.",
    ...schema,
  };
  return `${JSON.stringify(described, null, 2)}\n`;
};

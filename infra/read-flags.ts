/** The flags of this repository's own commands (`npm run NAME -- FLAGS`); the product's are cli/'s. */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** As sysexits.h has it: the command was used wrongly. */
const USAGE = 64;

type Flags<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Options }>
>["values"];

/** `--help`, or a flag that there is not, ends the process with what there is. */
export const readFlags = <const Options extends ParseArgsOptionsConfig>(
  command: string,
  options: Options,
  args: readonly string[] = process.argv.slice(2),
): Flags<Options> => {
  if (args.includes("--help")) {
    process.stdout.write(`${usageOf(command, options)}\n`);
    process.exit(0);
  }
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const { message } = error as Error;
    process.stderr.write(`${message.split("\n")[0]}\n${usageOf(command, options)}\n`);
    process.exit(USAGE);
  }
};

const usageOf = (command: string, options: ParseArgsOptionsConfig): string => {
  const flags = Object.entries(options).map(([name, { type, default: value }]) => {
    const shown = value === undefined || value === "" ? "VALUE" : String(value);
    return type === "boolean" ? `[--${name}]` : `[--${name} ${shown}]`;
  });
  return `usage: npm run ${command}${command.includes(" -- ") ? "" : " --"} ${flags.join(" ")}`;
};

/** From here on the emulator checks every signature and every right, as AWS does. */
export const enforceRights = async (endpoint: string, signal: AbortSignal): Promise<void> => {
  const answer = await fetch(`${endpoint}/moto-api/reset-auth`, {
    method: "POST",
    // How many more calls may go unchecked.
    body: "0",
    signal,
  });
  if (!answer.ok) throw new Error(`the emulator answered ${answer.status}`);
};

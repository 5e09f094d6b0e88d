import { meaning } from "./verdict";

/** The silhouette of a verdict; its text always stands beside it, so readers of screens do not hear it twice. */
export function Shape({ verdict }: { verdict: string }) {
  const { path, filled } = meaning(verdict);
  return (
    <svg class={`shape v-${verdict}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} class={filled ? "filled" : "drawn"} />
    </svg>
  );
}

/** What each verdict is called, how bad it is, and which shape stands for it, so that colour is never the only sign. */
import type { Verdict } from "../api/types";

export interface VerdictMeaning {
  /** Worst first: 0 tops the board. */
  rank: number;
  label: string;
  sentence: string;
  /** Drawn in a box of 16 by 16; every verdict has its own silhouette. */
  path: string;
  filled: boolean;
}

const CIRCLE = "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12z";

export const VERDICTS: Record<Verdict, VerdictMeaning> = {
  hung: {
    rank: 0,
    label: "Hung",
    sentence: "calls start and do not come back",
    path: "M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5z",
    filled: true,
  },
  failing: {
    rank: 1,
    label: "Failing",
    sentence: "more calls fail than is normal here",
    path: "M8 1.5L15.2 14H.8z",
    filled: true,
  },
  silent: {
    rank: 2,
    label: "Silent",
    sentence: "no calls, though there should be some",
    path: `${CIRCLE}M3.8 12.2L12.2 3.8`,
    filled: false,
  },
  slow: {
    rank: 3,
    label: "Slow",
    sentence: "calls take longer than is normal here",
    path: "M8 .8L15.2 8L8 15.2L.8 8z",
    filled: true,
  },
  declining: {
    rank: 4,
    label: "Declining",
    sentence: "it answers, and says no more often than is normal here",
    path: "M8 14.5L.8 2h14.4z",
    filled: true,
  },
  unknown: {
    rank: 5,
    label: "Unknown",
    sentence: "too few calls to judge",
    path: "M5 5.5a3 3 0 1 1 4.2 2.7Q8 8.8 8 10.2M8 12.6v.8",
    filled: false,
  },
  learning: {
    rank: 6,
    label: "Learning",
    sentence: "what is normal here is not known yet",
    path: "M8 2a6 6 0 0 1 6 6M14 8a6 6 0 0 1-3.2 5.3M8 14a6 6 0 0 1-6-6M2 8a6 6 0 0 1 3.2-5.3",
    filled: false,
  },
  ok: { rank: 7, label: "OK", sentence: "as usual", path: "M2.8 8.6L6.4 12L13.2 4.4", filled: false },
};

/** A daemon newer than this page may know verdicts that the page does not; they show as unknown rather than break the board. */
export function meaning(verdict: string): VerdictMeaning {
  return Object.hasOwn(VERDICTS, verdict) ? VERDICTS[verdict as Verdict] : VERDICTS.unknown;
}

/** Those that somebody should look at now. */
export function isBad(verdict: string): boolean {
  return meaning(verdict).rank < VERDICTS.unknown.rank;
}

/** The provider of the one alert that stands for many at once: then it is most likely us. */
export const EVERYBODY = "*";

/** `host:h7` as "only host h7". */
export function scopeText(scope: string): string {
  if (scope === "everyone") return "for everyone";
  if (scope === "our_side") return "most likely our side";
  return `only ${scope.replace(":", " ")}`;
}

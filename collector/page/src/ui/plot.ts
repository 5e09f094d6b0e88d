/** The life of a uPlot in a box: made once, as wide as the box, redrawn with the theme, told of new data, taken down. */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { onTheme } from "./theme";

export interface PlotSpec {
  height: number;
  options(width: number): uPlot.Options;
  /** Called after each render with the living plot: its data and its scales. */
  update(plot: uPlot): void;
  /** The plot is made anew when this changes: its series, or whatever else uPlot cannot change later. */
  anew?: unknown;
}

export function usePlot(spec: PlotSpec): RefObject<HTMLDivElement | null> {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const width = () => element.clientWidth || 1;
    const options = spec.options(width());
    const made = new uPlot(options, options.series.map(() => []) as unknown as uPlot.AlignedData, element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: width(), height: spec.height }));
    resized.observe(element);
    const forget = onTheme(() => made.redraw());
    return () => {
      resized.disconnect();
      forget();
      made.destroy();
      plot.current = null;
    };
  }, [spec.anew]);

  useEffect(() => {
    if (plot.current) spec.update(plot.current);
  });

  return box;
}

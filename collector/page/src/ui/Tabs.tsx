/** Tabs as the keyboard knows them: one stop, arrows move between them. */
interface TabsProps<T extends string> {
  label: string;
  options: readonly (readonly [T, string])[];
  chosen: T;
  onChoose: (value: T) => void;
}

export function Tabs<T extends string>({ label, options, chosen, onChoose }: TabsProps<T>) {
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = options.findIndex(([value]) => value === chosen);
    const next = (at + step + options.length) % options.length;
    onChoose((options[next] as readonly [T, string])[0]);
    (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("button")[next]?.focus();
  };
  return (
    <div class="tabs" role="radiogroup" aria-label={label} onKeyDown={move}>
      {options.map(([value, words]) => (
        <button
          key={value}
          type="button"
          role="radio"
          aria-checked={value === chosen}
          tabIndex={value === chosen ? 0 : -1}
          onClick={() => onChoose(value)}
        >
          {words}
        </button>
      ))}
    </div>
  );
}

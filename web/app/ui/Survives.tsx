import { IconShield, IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { text } from '../text';

/** How many losses a file survives now, as a figure with a shield. */
export function Survives({ redundancy }: { redundancy: number }) {
  const Icon = redundancy < 0 ? IconShieldX : redundancy === 0 ? IconShield : IconShieldCheck;
  const color = redundancy <= 0 ? 'var(--mantine-color-red-6)' : 'var(--dim)';
  return (
    <span
      className="figures"
      title={text.files.survives(redundancy)}
      style={{ display: 'inline-flex', alignItems: 'center', gap: 4, color }}
    >
      <Icon size={15} stroke={1.7} aria-hidden />
      <span aria-hidden>{redundancy < 0 ? '!' : redundancy}</span>
      <span className="visually-hidden">{text.files.survives(redundancy)}</span>
    </span>
  );
}

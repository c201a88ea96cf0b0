/** How figures and times are written, everywhere alike. */

import { text } from '../text';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** Powers of 1000, as disks are sold and as the search language counts; three digits are enough to compare. */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  // 999.5 would be written as 1000: it already belongs to the next unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${bytes < 0 ? '−' : ''}${value.toFixed(digits)} ${UNITS[unit]}`;
}

export function formatSpeed(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

const COUNT = new Intl.NumberFormat('en');

export function formatCount(count: number): string {
  return COUNT.format(count);
}

export function formatPercent(ratio: number): string {
  const percent = Math.min(1, Math.max(0, ratio)) * 100;
  // "100 %" must mean all of it and "0 %" nothing.
  const whole = percent > 99 && percent < 100 ? 99 : percent > 0 && percent < 1 ? 1 : Math.round(percent);
  return `${whole}\u00a0%`;
}

const SECOND_STEPS: [limit: number, divisor: number, unit: 's' | 'min' | 'h' | 'd'][] = [
  [60, 1, 's'],
  [3600, 60, 'min'],
  [86_400, 3600, 'h'],
  [Number.POSITIVE_INFINITY, 86_400, 'd'],
];

/** A length of time in its largest whole unit: `42 s`, `5 min`, `3 h`, `12 d`. */
export function formatDuration(seconds: number): string {
  const value = Math.max(0, seconds);
  for (const [limit, divisor, unit] of SECOND_STEPS) {
    if (Math.floor(value) < limit) return `${Math.floor(value / divisor)} ${unit}`;
  }
  return '';
}

/** `5 min ago`; a clock that is a little ahead of ours still reads as now. */
export function formatAgo(time: number, now: number): string {
  const seconds = (now - time) / 1000;
  return seconds < 2 ? text.time.now : text.time.ago(formatDuration(seconds));
}

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' });
const MOMENT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });

export function formatMoment(time: string): string {
  const moment = new Date(time);
  return Number.isNaN(moment.getTime()) ? '' : MOMENT.format(moment);
}

/** For a column: the hour for today, the day for all else. */
export function formatDate(time: string, now: number): string {
  const moment = new Date(time);
  if (Number.isNaN(moment.getTime())) return '';
  return DAY.format(moment) === DAY.format(now) ? text.time.today(CLOCK.format(moment)) : DAY.format(moment);
}

/** The mark: a small asterism. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" style={{ flexShrink: 0 }}>
      <rect width="32" height="32" rx="7" fill="#4a5fdd" />
      <path
        d="M8 22 16 8l8 14M8 22h16M16 8v9"
        stroke="#fff"
        strokeWidth="1.6"
        strokeOpacity=".65"
        fill="none"
      />
      <g fill="#fff">
        <circle cx="16" cy="8" r="3" />
        <circle cx="8" cy="22" r="3" />
        <circle cx="24" cy="22" r="3" />
        <circle cx="16" cy="17" r="2" />
      </g>
    </svg>
  );
}

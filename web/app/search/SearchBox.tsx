import { Combobox, Kbd, TextInput, useCombobox } from '@mantine/core';
import { useDebouncedValue, useHotkeys } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { suggestionsQuery } from '../api/queries';
import { text } from '../text';
import { formatCount } from '../ui/format';
import { colorOfKind } from './kinds';
import { completed, typedPrefix } from './language';
import classes from './SearchBox.module.css';

const TYPING_MS = 150;

/** The search field. It follows the query in the address, wherever that changes. */
export function SearchBox() {
  const { q = '' } = useSearch({ strict: false });
  return <Field key={q} query={q} />;
}

function Field({ query }: { query: string }) {
  const navigate = useNavigate();
  const input = useRef<HTMLInputElement>(null);
  const [value, setValue] = useState(query);
  const [settled] = useDebouncedValue(value, TYPING_MS);
  const prefix = settled === query ? '' : typedPrefix(settled);
  const { data } = useQuery({ ...suggestionsQuery(prefix), placeholderData: keepPreviousData });
  const suggestions = prefix ? (data ?? []) : [];
  const combobox = useCombobox({ onDropdownClose: () => combobox.resetSelectedOption() });

  useHotkeys([
    ['/', () => input.current?.focus()],
    ['mod+K', () => input.current?.focus()],
  ]);

  return (
    <Combobox
      store={combobox}
      onOptionSubmit={(tag) => {
        setValue(completed(value, tag));
        combobox.closeDropdown();
      }}
    >
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          combobox.closeDropdown();
          void navigate({ to: '/search', search: value.trim() ? { q: value.trim() } : {} });
        }}
      >
        <Combobox.Target>
          <TextInput
            ref={input}
            type="search"
            aria-label={text.search.label}
            placeholder={text.search.placeholder}
            leftSection={<IconSearch size={16} aria-hidden />}
            rightSection={value ? null : <Kbd className={classes.key}>/</Kbd>}
            rightSectionPointerEvents="none"
            value={value}
            autoComplete="off"
            spellCheck={false}
            data-testid="search-input"
            classNames={{ input: classes.input ?? '' }}
            onChange={(event) => {
              setValue(event.currentTarget.value);
              combobox.openDropdown();
            }}
            onBlur={() => combobox.closeDropdown()}
          />
        </Combobox.Target>
      </form>
      <Combobox.Dropdown hidden={suggestions.length === 0}>
        <Combobox.Options>
          <Combobox.Group label={text.search.suggestions}>
            {suggestions.map(({ name, kind, files }) => (
              <Combobox.Option key={`${kind}:${name}`} value={name} data-testid="suggestion">
                <span className={classes.option}>
                  <span className={classes.dot} style={{ background: colorOfKind(kind) }} aria-hidden />
                  <span className="cut">{name}</span>
                  <span className={classes.kind}>{kind}</span>
                  <span className={`${classes.files} figures`}>{formatCount(files)}</span>
                </span>
              </Combobox.Option>
            ))}
          </Combobox.Group>
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}

import { ActionIcon, Button, TextInput } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { request, send } from '../api/client';
import { keys } from '../api/keys';
import { url } from '../api/paths';
import type { Tagging } from '../api/types';
import { byInterest, tagRefTo } from '../search/kinds';
import { tagTerm } from '../search/language';
import { useMay } from '../session/useSession';
import { text } from '../text';
import { formatPercent } from '../ui/format';
import { Tag } from '../ui/Tag';
import classes from './FileDetail.module.css';

interface Props {
  path: string;
  tags: Tagging[];
  onTag?: (tag: { kind: string; name: string }) => void;
}

/** A file's tags, each with who gave it, how sure, and what it saw; a person may add and remove. */
export function FileTags({ path, tags, onTag }: Props) {
  const mayWrite = useMay('editor');
  const navigate = useNavigate();
  const open =
    onTag ?? ((tag) => navigate({ to: '/search', search: { q: tagTerm(tag.name), tag: tagRefTo(tag) } }));
  const edit = useEdit(path);

  return (
    <section className={classes.section}>
      <h3 className={classes.heading}>{text.detail.tags}</h3>
      {tags.length === 0 && <p className={classes.none}>{text.detail.noTags}</p>}
      <ul className={classes.tags}>
        {byInterest(tags).map((tag) => (
          <li
            key={`${tag.kind}:${tag.name}:${tag.source}`}
            className={classes.tag}
            data-testid="file-tag"
            data-tag={tag.name}
            data-state={tag.state}
          >
            <Tag
              name={tag.name}
              kind={tag.kind}
              struck={tag.state === 'rejected'}
              onClick={() => open(tag)}
            />
            <span className={classes.why} title={why(tag)}>
              {why(tag)}
            </span>
            {mayWrite && tag.state !== 'rejected' && (
              <ActionIcon
                size="xs"
                variant="subtle"
                color="gray"
                aria-label={text.detail.removeTag(tag.name)}
                onClick={() => edit.remove.mutate(tag)}
                data-testid="file-tag-remove"
              >
                <IconX size={13} />
              </ActionIcon>
            )}
          </li>
        ))}
      </ul>
      {mayWrite && (
        <AddTag
          onAdd={(name) => edit.add.mutate(name)}
          busy={edit.add.isPending}
          error={edit.add.error ?? edit.remove.error}
        />
      )}
    </section>
  );
}

function why(tag: Tagging): string {
  const byHand = tag.kind === 'user' && !tag.evidence;
  const parts = [
    byHand ? text.detail.byHand : tag.evidence,
    tag.score < 1 ? text.detail.score(formatPercent(tag.score)) : '',
    tag.kind === 'user' ? '' : text.detail.by(tag.source, tag.version),
    tag.state === 'rejected' ? text.detail.rejected : '',
    tag.state === 'confirmed' && tag.kind !== 'user' ? text.detail.confirmed : '',
  ];
  return parts.filter(Boolean).join(' · ');
}

function useEdit(path: string) {
  const client = useQueryClient();
  const onSettled = () =>
    Promise.all(
      [keys.file(path), keys.found, keys.tags].map((queryKey) => client.invalidateQueries({ queryKey })),
    );
  const add = useMutation({
    mutationFn: (name: string) => request<{ items: Tagging[] }>(url.fileTag(path, name), { method: 'PUT' }),
    onSettled,
  });
  const remove = useMutation({
    mutationFn: (tag: Tagging) => send(url.fileTag(path, tag.name, tag.kind), { method: 'DELETE' }),
    onSettled,
  });
  return { add, remove };
}

interface AddTagProps {
  onAdd: (name: string) => void;
  busy: boolean;
  error: Error | null;
}

function AddTag({ onAdd, busy, error }: AddTagProps) {
  const [name, setName] = useState('');
  return (
    <form
      className={classes.add}
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim() === '') return;
        onAdd(name.trim());
        setName('');
      }}
    >
      <TextInput
        size="xs"
        aria-label={text.detail.addTag}
        placeholder={text.detail.addTag}
        value={name}
        error={error?.message}
        onChange={(event) => setName(event.currentTarget.value)}
        data-testid="tag-input"
      />
      <Button type="submit" size="xs" variant="default" loading={busy} data-testid="tag-add">
        {text.detail.addTagSubmit}
      </Button>
    </form>
  );
}

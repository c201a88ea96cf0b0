import { IconCloudUpload } from '@tabler/icons-react';
import { type DragEvent, type ReactNode, useState } from 'react';
import { nameOf } from '../files/path';
import { text } from '../text';
import classes from './DropZone.module.css';
import { type Dropped, fromDrop } from './drop';

interface Props {
  folder: string;
  disabled: boolean;
  onDrop: (dropped: Dropped) => void;
  children: ReactNode;
}

/** The whole page takes files and folders; a veil says where they will go. */
export function DropZone({ folder, disabled, onDrop, children }: Props) {
  const [over, setOver] = useState(false);

  const onDragOver = (event: DragEvent) => {
    if (disabled || !event.dataTransfer.types.includes('Files')) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'copy';
    setOver(true);
  };
  const onDragLeave = (event: DragEvent) => {
    // Moving over a child leaves nothing.
    if (event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget)) return;
    setOver(false);
  };
  const onDropHere = (event: DragEvent) => {
    if (disabled) return;
    event.preventDefault();
    setOver(false);
    void fromDrop(event.dataTransfer).then(onDrop);
  };

  return (
    <section
      className={classes.zone}
      aria-label={text.files.title}
      data-testid="dropzone"
      data-folder={folder}
      onDragOver={onDragOver}
      onDragLeave={onDragLeave}
      onDrop={onDropHere}
    >
      {children}
      {over && (
        <div className={classes.veil} aria-hidden>
          <IconCloudUpload size={40} stroke={1.4} />
          <span>{text.files.dropHere(nameOf(folder) || text.files.root)}</span>
        </div>
      )}
    </section>
  );
}

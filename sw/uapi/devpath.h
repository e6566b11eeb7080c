/* Which file a path names: the device node is recognised by what would be opened, not by how the path is spelled.
 *
 * The node need not exist as a file, so there is no inode to compare: its folder is compared instead, by device and
 * inode, and the last component by name. Links are followed as the kernel does. No descriptor is needed. */
#ifndef KVCPU_DEVPATH_H
#define KVCPU_DEVPATH_H

/* Whether `path`, relative to the descriptor `folder` (or AT_FDCWD), names the device; `follow`: also through a
 * symbolic link as the last component. A path that cannot be read is none. Leaves errno alone. */
int kvcpu_path_is_device(int folder, const char *path, int follow);

#endif

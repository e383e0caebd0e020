CREATE UNIQUE INDEX `author_name_unique` ON `author` (`name`);--> statement-breakpoint
ALTER TABLE `post` ADD `raw` blob;

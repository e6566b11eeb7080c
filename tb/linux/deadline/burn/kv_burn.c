// SPDX-License-Identifier: GPL-2.0
/*
 * A testbench's device: write(2) to /dev/kv_burn takes processor time until the next tick, or until another task is to
 * run. In User Mode Linux's time travel a program's own instructions take no time at all.
 */

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

#define KV_BURN_NS 20000
#define KV_CLOCK_NS 256

static ssize_t kv_burn_write(struct file *file, const char __user *from, size_t count, loff_t *position)
{
	unsigned long begun = jiffies;
	u64 now = ktime_get_ns(), tick = (div_u64(now, TICK_NSEC) + 1) * TICK_NSEC;
	u32 part;

	/* Interrupts wait for the end of a delay: the last one ends with the tick, so that the tick is on time. */
	for (; time_before_eq(jiffies, begun) && !need_resched() && !signal_pending(current); now += part) {
		part = now < tick ? min_t(u64, KV_BURN_NS, tick - now) : KV_CLOCK_NS;
		ndelay(part);
	}
	return count;
}

static const struct file_operations kv_burn_fops = {
	.owner = THIS_MODULE,
	.write = kv_burn_write,
};

static struct miscdevice kv_burn = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kv_burn",
	.fops = &kv_burn_fops,
};
module_misc_device(kv_burn);

MODULE_DESCRIPTION("Takes processor time in steps of a tick");
MODULE_LICENSE("GPL");

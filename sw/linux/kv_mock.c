// SPDX-License-Identifier: GPL-2.0
/*
 * KV-CPU: a device without hardware (parameter mock=1), for programs that only need the node. Its directory is empty
 * and no tier has a slot: registers hold what is written, commands end at once as an empty device ends them.
 */

#include <linux/slab.h>

#include "kv.h"

#define KV_MOCK_BYTES 0x2000	/* all registers that the driver uses */
#define KV_MOCK_ENTRIES 1024
#define KV_MOCK_TOKENS 16

struct kv_mock {
	u64 registers[KV_MOCK_BYTES / 8];
};

static struct kv_dev *kv_the_mock;

static u64 kv_mock_read(struct kv_dev *kv, unsigned int bar, u32 offset)
{
	return bar ? 0 : kv->mock->registers[offset / 8];
}

static void kv_mock_write(struct kv_dev *kv, u32 offset, u64 value)
{
	u64 *registers = kv->mock->registers;

	switch (offset) {
	case KV_CTRL:
		value &= ~KV_CTRL_SOFT_RESET;
		break;
	case KV_THRESHOLDS:
		registers[KV_EVICT_THRESH / 8] = FIELD_GET(KV_THRESHOLDS_EVICT, value);
		registers[KV_PREFETCH_THRESH / 8] = FIELD_GET(KV_THRESHOLDS_PREFETCH, value);
		break;
	case KV_DIR_COMMAND:
		registers[KV_DIR_STATUS / 8] = value == KV_CMD_INSERT ? KV_RESULT_NO_SLOT :
					       value == KV_CMD_FREE_REQUEST ? KV_RESULT_OK : KV_RESULT_MISS;
		break;
	case KV_SHARE_LEN:
		registers[KV_HINT_MISS_COUNT / 8] += value / KV_MOCK_TOKENS;
		break;
	}
	registers[offset / 8] = value;
}

static const struct kv_ops kv_mock_ops = {
	.read = kv_mock_read,
	.write = kv_mock_write,
};

static void kv_mock_power_on(u64 *registers)
{
	registers[KV_ID / 8] = KV_ID_VALUE;
	registers[KV_VERSION / 8] = KV_VERSION_VALUE;
	registers[KV_CAPS / 8] = FIELD_PREP(KV_CAPS_ENTRIES, KV_MOCK_ENTRIES) |
				 FIELD_PREP(KV_CAPS_BLOCK_TOKENS, KV_MOCK_TOKENS);
	registers[KV_STATUS / 8] = KV_STATUS_IDLE | KV_STATUS_INITIALISED;
	registers[KV_BLOCK_BYTES / 8] = 8192;
	registers[KV_PREFETCH_THRESH / 8] = 65535;
	registers[KV_WEIGHT_R / 8] = 64;
	registers[KV_WEIGHT_F / 8] = 64;
	registers[KV_WEIGHT_S / 8] = 64;
	registers[KV_WEIGHT_D / 8] = 64;
}

int kv_mock_create(void)
{
	struct kv_dev *kv = kv_alloc(NULL, &kv_mock_ops);
	int err = -ENOMEM;

	if (IS_ERR(kv))
		return PTR_ERR(kv);
	kv->mock = kzalloc(sizeof(*kv->mock), GFP_KERNEL);
	if (!kv->mock)
		goto free;
	kv_mock_power_on(kv->mock->registers);
	err = kv_identify(kv) ?: kv_start(kv);
	if (!err)
		err = kv_register(kv);
	if (!err) {
		kv_the_mock = kv;
		return 0;
	}
	kfree(kv->mock);
free:
	put_device(&kv->dev);
	return err;
}

void kv_mock_destroy(void)
{
	struct kv_dev *kv = kv_the_mock;

	if (!kv)
		return;
	kv_unregister(kv);
	kfree(kv->mock);
	put_device(&kv->dev);
}

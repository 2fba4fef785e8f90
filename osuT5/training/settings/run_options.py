"""Options of the machine, the optimiser, the intervals, the log and LoRA. Facts: the published configurations."""

from __future__ import annotations

from osuT5.training.optim_settings import DECAYS, OPTIMIZERS, ORTHOGONALISE, SCHEDULES, SECOND_RATES
from osuT5.training.settings.option import Option

TOP = (
    Option("recipe", "choice", "what the sample recipe and the differences below start from", "run.recipe_name",
           choices=("improved", "compat"), ours=True),
    Option("output_dir", "place", "log, checkpoints and the exported model go here; null: `runs/<data.profile>`",
           "run.output_dir", null=True, ours=True),
    Option("threads", "whole", "threads of torch on the CPU; null: torch's own choice", "loop.threads", null=True,
           low=1, high=1024, ours=True),
    Option("compile", "switch", "compile the model with torch", "loop.compile"),
    Option("device", "text", "auto, cpu, cuda, cuda:N; `gpu` is cuda, and an error where there is none", "loop.device"),
    Option("mixed_precision", "choice", "autocast", "loop.mixed_precision", choices=("no", "fp16", "bf16")),
    Option("precision", "choice", "type of the weights; amp is fp32; null: fp32", "loop.precision", null=True,
           choices=("fp32", "fp16", "bf16", "amp")),
    Option("attn_implementation", "choice", "accepted as published; every choice is exact attention by torch, which "
           "takes the fastest kernel that the machine has", "loop.attn_implementation",
           choices=("auto", "sdpa", "eager", "flash_attention_2")),
    Option("seed", "whole", "of everything that is drawn", "loop.seed", low=0, high=2**32 - 1),
    Option("checkpoint_path", "place", "resume from this checkpoint folder; null: from the newest of output_dir, if "
           "any", "run.checkpoint_path", null=True),
    Option("pretrained_path", "place", "folder or hub id of the weights and the vocabulary to start from; null: new "
           "ones", "run.pretrained_path", null=True),
    Option("pretrained_gamemode", "whole", "take the sub-checkpoint `gamemode=N` of it, where there is one",
           "run.pretrained_gamemode", null=True, low=0, high=3),
    Option("pretrained_transfer", "switch", "a model of other tokens or windows is carried over instead of refused",
           "run.pretrained_transfer", ours=True),
    Option("pretrained_t5_compat", "switch", "T5 backbones are of models that were never published; for a model with "
           "other tokens use pretrained_transfer=true", only=(False,)),
    Option("enable_lora", "switch", "train a LoRA instead of the whole model", "run.enable_lora"),
    Option("mode", "text", "it named a mode of a tool that looked at data; `benchmarks/loader.py` measures the loader",
           only=("train",)),
)  # fmt: skip

LORA = (
    Option("lora.r", "whole", "rank", "lora.r", low=1),
    Option("lora.lora_alpha", "number", "the change of a weight is lora_alpha / r * B A", "lora.lora_alpha"),
    Option("lora.target_modules", "texts", "ends of module names; null: the attention projections of the model",
           "lora.target_modules", null=True),
    Option("lora.lora_dropout", "number", "share of an adapter's inputs that are dropped", "lora.lora_dropout"),
    Option("lora.bias", "text", "only `none` can be saved and merged", "lora.bias"),
    Option("lora.init_lora_weights", "free", "true, default, gaussian, pissa, pissa_niter_N", "lora.init_lora_weights"),
    Option("lora_metadata.ckpt_subfolders", "texts", "sub-checkpoints that the LoRA may be used with; null: any",
           "lora.ckpt_subfolders", null=True),
)  # fmt: skip

OPTIM = (
    Option("optim.name", "choice", "optimiser", "optim.name", choices=OPTIMIZERS),
    Option("optim.base_lr", "number", "peak rate", "optim.base_lr"),
    Option("optim.base_lr_2", "number", "of the AdamW inside Muon, see `optim.second_rate`", "optim.base_lr_2"),
    Option("optim.batch_size", "whole", "windows of an optimiser step on one process", "optim.batch_size"),
    Option("optim.total_steps", "whole", "optimiser steps of the run", "optim.total_steps"),
    Option("optim.warmup_steps", "whole", "from half the rate to the whole", "optim.warmup_steps"),
    Option("optim.sustain_steps", "whole", "at the whole rate", "optim.sustain_steps"),
    Option("optim.decay_steps", "whole", "instead of sustain_steps: the last steps, in which the rate falls; null: "
           "none", "optim.decay_steps", null=True, ours=True),
    Option("optim.lr_scheduler", "choice", "how the rate falls", "optim.lr_scheduler", choices=SCHEDULES),
    Option("optim.final_cosine", "number", "the rate at the end, for linear too", "optim.final_cosine"),
    Option("optim.weight_decay", "number", "decoupled; what it touches says `optim.decay`", "optim.weight_decay"),
    Option("optim.grad_acc", "whole", "micro-batches of a step; divides batch_size", "optim.grad_acc"),
    Option("optim.grad_clip", "number", "largest global norm of the gradient; 0: none", "optim.grad_clip"),
    Option("optim.ema_decay", "number", "of the moving average of the weights, which is what is evaluated and "
           "exported; 0: none, as published", "optim.ema_decay", ours=True),
    Option("optim.betas", "numbers", "of the AdamW kinds; null: the published ones", "optim.betas", null=True,
           ours=True),
    Option("optim.second_rate", "choice", "Muon's inner AdamW steps at base_lr_2 (used), or at base_lr while base_lr_2 "
           "only scales its decay; null: by recipe", "optim.second_rate", null=True, choices=SECOND_RATES, ours=True),
    Option("optim.decay", "choice", "weight decay touches matrices only, or what the published optimisers decay; null: "
           "by recipe", "optim.decay", null=True, choices=DECAYS, ours=True),
    Option("optim.orthogonalise", "choice", "type that Muon orthogonalises in; in float32 processes and micro-batches "
           "agree better; null: by recipe", "optim.orthogonalise", null=True, choices=ORTHOGONALISE, ours=True),
)  # fmt: skip

INTERVALS = (
    Option("eval.every_steps", "whole", "evaluate; a multiple of logging.every_steps", "loop.eval_every", low=1),
    Option("eval.steps", "whole", "batches of an evaluation", "loop.eval_steps", low=1),
    Option("eval.sample_map", "switch", "an evaluation also generates a map and keeps its picture", "loop.sample_map",
           ours=True),
    Option("checkpoint.every_steps", "whole", "keep a checkpoint", "loop.checkpoint_every", low=1),
    Option("checkpoint.local_total_limit", "whole", "newest checkpoints that are kept", "loop.keep_checkpoints", low=1),
    Option("checkpoint.cleanup_wandb_cache_before_save", "switch", "checkpoints are not uploaded to the tracker, so it "
           "keeps no copies that would have to be cleaned up", only=(False,)),
    Option("checkpoint.wandb_cache_cleanup_size", "text", "see cleanup_wandb_cache_before_save", only=(None, "1GB")),
    Option("logging.log_with", "choice", "tracker beside `log.jsonl`, which is always written; null: none",
           "loop.log_with", null=True, choices=("tensorboard", "wandb")),
    Option("logging.every_steps", "whole", "write a line", "loop.log_every", low=1),
    Option("logging.grad_l2", "switch", "log the norm of the gradient", "loop.grad_l2"),
    Option("logging.weights_l2", "switch", "log the norm of the weights", "loop.weights_l2"),
    Option("logging.mode", "choice", "of wandb", "loop.log_mode", choices=("online", "offline", "disabled")),
    Option("logging.run_name", "text", "name of the run in the tracker; null: the tracker's choice", "loop.run_name",
           null=True),
    Option("profile.do_profile", "switch", "run under torch's profiler", "profiler.do_profile"),
    Option("profile.early_stop", "switch", "end the run with the last profiled step", "profiler.early_stop"),
    Option("profile.wait", "whole", "steps before the profiler warms up", "profiler.wait", low=0),
    Option("profile.warmup", "whole", "steps that it warms up", "profiler.warmup", low=0),
    Option("profile.active", "whole", "steps that are kept", "profiler.active", low=1),
    Option("profile.repeat", "whole", "times that all this happens", "profiler.repeat", low=1),
)  # fmt: skip

LOADER = (
    Option("dataloader.num_workers", "whole", "processes that read and cut; they change nothing but the speed",
           "loader.workers", low=0),
    Option("dataloader.pin_memory", "switch", "batches in page-locked memory, for GPUs", "loader.pin_memory"),
    Option("dataloader.drop_last", "switch", "an evaluation leaves out its last short batch; in training there is "
           "none: the next epoch fills it", "loader.drop_last"),
    Option("dataloader.balancer_buffer_size", "whole", "0: off; else batches get about the same number of tokens "
           "(`data.batching`) out of a pool of so many windows (`data.pool`); a multiple of the micro-batch",
           "loader.buffer", low=0),
    Option("dataloader.balancer_prefetch_factor", "number", "with a buffer: each worker keeps buffer / micro-batch "
           "times this batches ready; else 4", "loader.prefetch_share", low=0),
)  # fmt: skip

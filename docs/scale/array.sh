#!/bin/bash
# Draws a table of prompts as sixteen shards, at most eight at a time, one GPU each: sbatch array.sh prompts.jsonl out
# A task learns its shard from SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_MIN, which Slurm sets. A task that is put back
# into the queue goes on where it was: pictures that are there are not drawn again.
#SBATCH --job-name=jdiffusion
#SBATCH --array=1-16%8
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --mem=24G
#SBATCH --requeue
#SBATCH --output=jdiffusion-%A-%a.log
set -euo pipefail

exec "${JDIFFUSION:-jdiffusion}" batch "$1" -o "$2" --model "${MODEL:-models/sd3.5-medium}" \
    --shard auto/16 --resume --device cuda

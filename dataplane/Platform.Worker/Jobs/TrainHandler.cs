using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;
using Platform.Worker.Engines.Tokenizers;
using Platform.Worker.Jobs.Exec;
using Platform.Worker.Training;

namespace Platform.Worker.Jobs;

/// <summary>Runs the reference trainer: a text in, a model folder out. Its state is kept in object storage, and the next attempt goes on after the last step that was kept.</summary>
/// <remarks>An attempt that goes on comes to the same bytes as an unbroken one.</remarks>
internal sealed class TrainHandler(IObjectStorage storage, TimeProvider time, IOptions<WorkerOptions> options) : IJobHandler
{
    private const string StateFile = "trainer.state";
    private const int FingerprintBytes = 32;

    public string Kind => JobKinds.Train;

    public async Task<JobResult> RunAsync(JobContext context, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var (text, version) = await ReadAsync(context.Spec.Input!, cancellationToken);
        context.Staging = time.GetElapsedTime(started);
        var settings = OptionsOf(context.Spec.Training ?? new JobTraining());
        try
        {
            return await Task.Run(() => TrainAsync(context, text, version, settings, cancellationToken), cancellationToken);
        }
        catch (ArgumentException fault)
        {
            throw new JobFailedException(new JobFailure(ErrorCodes.InvalidRequest, fault.Message, false));
        }
    }

    public async Task CleanUpAsync(JobContext context, LeaseAnswer answer, CancellationToken cancellationToken)
    {
        // Refused by a job that has succeeded: it may be this very attempt, whose accepted report was not heard. What is nobody's result is found by the sweep.
        if (answer.State != JobState.Succeeded)
        {
            await FolderUpload.DeleteAsync(storage, ObjectKeys.JobOutput(context.Request.JobId, context.Request.Token), cancellationToken);
        }

        if (JobTransitions.IsTerminal(answer.State))
        {
            await FolderUpload.DeleteAsync(storage, ObjectKeys.JobCheckpoint(context.Request.JobId), cancellationToken);
        }
    }

    private async Task<JobResult> TrainAsync(JobContext context, string text, string version, TrainingOptions settings, CancellationToken cancellationToken)
    {
        if (settings.Shape.Fault() is { } fault)
        {
            throw new ArgumentException(fault);
        }

        var loading = time.GetTimestamp();
        var vocabulary = BpeTrainer.Train(text, settings.Shape.Vocabulary);
        settings = settings with { Shape = settings.Shape with { Vocabulary = vocabulary.Size } };
        var tokenizer = ModelFiles.Tokenizer(vocabulary);
        var tokens = TokenizerFile.Parse(tokenizer).Encode(text);
        var trainer = new Trainer(settings, time);
        var fingerprint = FingerprintOf(settings, version);
        var done = await RestoreAsync(context, trainer, fingerprint, cancellationToken);
        context.Loading = time.GetElapsedTime(loading);
        context.Progress = new JobProgress(done, settings.Steps);
        context.Log.Write($"{tokens.Count} tokens, {trainer.Weights.Count} parameters; {done} of {settings.Steps} steps were done by earlier attempts.");

        var keptAt = time.GetTimestamp();
        var result = trainer.Run(
            tokens,
            progress => context.Log.Write(string.Create(CultureInfo.InvariantCulture, $"step {progress.Step}  loss {progress.Loss:0.0000}  {progress.TokensPerSecond:0} tokens/s")),
            step =>
            {
                context.Progress = new JobProgress(step, settings.Steps);
                if (cancellationToken.IsCancellationRequested || time.GetElapsedTime(keptAt) >= options.Value.CheckpointEvery)
                {
                    // On the trainer's own thread, between two steps: the state is whole. Also when the node stops, so that no step is lost.
                    KeepAsync(context, trainer, fingerprint).GetAwaiter().GetResult();
                    keptAt = time.GetTimestamp();
                }
            },
            cancellationToken);
        var prefix = ObjectKeys.JobOutput(context.Request.JobId, context.Request.Token);
        using var weights = new MemoryStream();
        await ModelFiles.WriteWeightsAsync(weights, result.Weights, new Dictionary<string, string> { ["format"] = "pt" }, cancellationToken);
        (string Name, ReadOnlyMemory<byte> Bytes)[] files = [("config.json", ModelFiles.Config(settings.Shape, vocabulary.EndOfTextId)), ("tokenizer.json", tokenizer), ("model.safetensors", weights.ToArray())];
        foreach (var (name, bytes) in files)
        {
            await storage.PutAsync(prefix + name, bytes, default, cancellationToken);
        }

        context.Log.Write(string.Create(CultureInfo.InvariantCulture, $"loss {result.TrainingLoss:0.0000} in training, {result.HeldBackLoss:0.0000} on text held back."));
        return new JobResult(prefix, files.Length, result.Tokens) { LengthBytes = files.Sum(file => (long)file.Bytes.Length) };
    }

    private async Task<(string Text, string Version)> ReadAsync(string key, CancellationToken cancellationToken)
    {
        var found = await storage.HeadAsync(key, cancellationToken)
            ?? throw new JobFailedException(new MissingObjects([key], storage.Name).ToFailure());
        if (found.LengthBytes > options.Value.MaxInputBytes)
        {
            throw new JobFailedException(new JobFailure(ErrorCodes.InvalidRequest, $"The text '{key}' has {found.LengthBytes} bytes; expected at most {options.Value.MaxInputBytes}.", false));
        }

        var bytes = new byte[found.LengthBytes];
        await storage.ReadAsync(key, 0, bytes, found.ETag, cancellationToken);
        return (Encoding.UTF8.GetString(bytes), found.ETag);
    }

    private async Task KeepAsync(JobContext context, Trainer trainer, byte[] fingerprint)
    {
        using var state = new MemoryStream();
        state.Write(fingerprint);
        trainer.Save(state);
        state.Position = 0;
        await storage.PutAsync(ObjectKeys.JobCheckpoint(context.Request.JobId) + StateFile, state, default, CancellationToken.None);
    }

    /// <summary>Takes up the state of an earlier attempt; one of another text or other settings does not count.</summary>
    private async Task<int> RestoreAsync(JobContext context, Trainer trainer, byte[] fingerprint, CancellationToken cancellationToken)
    {
        var key = ObjectKeys.JobCheckpoint(context.Request.JobId) + StateFile;
        if (await storage.HeadAsync(key, cancellationToken) is not { } found || found.LengthBytes < FingerprintBytes)
        {
            return 0;
        }

        var bytes = new byte[found.LengthBytes];
        await storage.ReadAsync(key, 0, bytes, found.ETag, cancellationToken);
        return bytes.AsSpan(0, FingerprintBytes).SequenceEqual(fingerprint) ? trainer.Restore(new MemoryStream(bytes, FingerprintBytes, bytes.Length - FingerprintBytes)) : 0;
    }

    private static byte[] FingerprintOf(TrainingOptions settings, string version) => SHA256.HashData(Encoding.UTF8.GetBytes($"{version} {settings with { Threads = 1 }}"));

    private TrainingOptions OptionsOf(JobTraining asked)
    {
        var (standard, shape) = (new TrainingOptions(), new TrainingShape());
        return standard with
        {
            Steps = asked.Steps ?? standard.Steps,
            Batch = asked.Batch ?? standard.Batch,
            LearningRate = asked.LearningRate ?? standard.LearningRate,
            Seed = asked.Seed ?? standard.Seed,
            Threads = options.Value.EngineThreads,
            Shape = shape with
            {
                Hidden = asked.Hidden ?? shape.Hidden,
                Intermediate = asked.Intermediate ?? shape.Intermediate,
                Layers = asked.Layers ?? shape.Layers,
                Heads = asked.Heads ?? shape.Heads,
                KeyValueHeads = asked.KeyValueHeads ?? shape.KeyValueHeads,
                Vocabulary = asked.Vocabulary ?? shape.Vocabulary,
                Context = asked.Context ?? shape.Context,
            },
        };
    }
}

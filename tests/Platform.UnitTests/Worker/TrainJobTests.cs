using Platform.Jobs;
using Platform.Worker;
using Platform.Worker.Jobs;

namespace Platform.UnitTests.Worker;

public sealed class TrainJobTests : IDisposable
{
    private const int Steps = 6;
    private readonly InMemoryObjects _storage = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("train-").FullName;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public TrainJobTests() => _storage.Add("texts/t", string.Join('\n', Enumerable.Range(0, 60).Select(i => $"The fox number {i} ran over the hill and back again.<|endoftext|>")));

    public void Dispose() => Directory.Delete(_folder, true);

    [Fact]
    public async Task Training_StoppedMidway_ComesToTheSameModelAsAnUnbrokenOne()
    {
        await Handler().RunAsync(Context("whole", 1), Cancelled);
        using var stop = new CancellationTokenSource();
        var first = Context("broken", 1);
        var run = Task.Run(() => Handler(step: () => stop.Cancel()).RunAsync(first, stop.Token), Cancelled);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.Contains("jobs/broken/checkpoint/trainer.state", _storage.Keys);

        var second = Context("broken", 2);
        var result = await Handler().RunAsync(second, Cancelled);

        Assert.Equal(("jobs/broken/output-2/", 3), (result.Key, result.Items));
        Assert.Contains("1 of 6 steps were done by earlier attempts", await LogAsync(second), StringComparison.Ordinal);
        foreach (var file in (string[])["config.json", "tokenizer.json", "model.safetensors"])
        {
            Assert.Equal(_storage.TextOf($"jobs/whole/output-1/{file}"), _storage.TextOf($"jobs/broken/output-2/{file}"));
        }

        await Handler().CleanUpAsync(second, new LeaseAnswer(true, false, JobState.Succeeded), Cancelled);
        Assert.DoesNotContain(_storage.Keys, key => key.StartsWith("jobs/broken/checkpoint/", StringComparison.Ordinal));
        Assert.Contains("jobs/broken/output-2/model.safetensors", _storage.Keys);
    }

    [Fact]
    public async Task Training_WithoutItsText_FailsForGood()
    {
        var failure = await Assert.ThrowsAsync<JobFailedException>(() => Handler().RunAsync(Context("j", 1, "texts/none"), Cancelled));

        Assert.Equal((ErrorCodes.ObjectNotFound, false), (failure.Failure.Code, failure.Failure.Retryable));
    }

    [Fact]
    public async Task Training_ShapeThatCannotBe_FailsForGood()
    {
        var context = Context("j", 1, training: new JobTraining { Heads = 3, Hidden = 32 });

        var failure = await Assert.ThrowsAsync<JobFailedException>(() => Handler().RunAsync(context, Cancelled));

        Assert.Equal((ErrorCodes.InvalidRequest, false), (failure.Failure.Code, failure.Failure.Retryable));
    }

    /// <summary>A handler that keeps its state after every step and runs <paramref name="step"/> once it is kept, or one that runs through.</summary>
    private TrainHandler Handler(Action? step = null) =>
        new(step is null ? _storage : new WatchedObjects(_storage, step), TimeProvider.System, Microsoft.Extensions.Options.Options.Create(new WorkerOptions { Home = _folder, CheckpointEvery = step is null ? TimeSpan.FromHours(1) : TimeSpan.Zero }));

    private JobContext Context(string id, int attempt, string input = "texts/t", JobTraining? training = null) => new(
        new RunJobRequest
        {
            JobId = id,
            Attempt = attempt,
            Token = attempt,
            HeartbeatMilliseconds = 1000,
            Spec = new JobSpec
            {
                Id = id,
                Kind = JobKinds.Train,
                Input = input,
                Training = training ?? new JobTraining { Steps = Steps, Batch = 2, Hidden = 16, Intermediate = 32, Layers = 1, Heads = 2, KeyValueHeads = 1, Vocabulary = 270, Context = 16 },
            },
        },
        new AttemptLog(Path.Combine(_folder, id, $"{attempt}.log"), 1 << 20, TimeProvider.System),
        [],
        CancellationToken.None);

    private static async Task<string> LogAsync(JobContext context)
    {
        using var reader = new StreamReader(new FileStream(context.Log.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return await reader.ReadToEndAsync(Cancelled);
    }

    /// <summary>Runs something after the first write.</summary>
    private sealed class WatchedObjects(InMemoryObjects inner, Action written) : Platform.DataPlane.ObjectStorage.IObjectStorage
    {
        public string Name => inner.Name;

        public Task<Platform.DataPlane.ObjectStorage.ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default) => inner.HeadAsync(key, cancellationToken);

        public Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default) => inner.ReadAsync(key, offset, target, ifMatch, cancellationToken);

        public Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default) => inner.OpenReadAsync(key, ifMatch, cancellationToken);

        public async Task<string> PutAsync(string key, Stream content, Platform.DataPlane.ObjectStorage.PutCondition condition = default, CancellationToken cancellationToken = default)
        {
            var etag = await inner.PutAsync(key, content, condition, cancellationToken);
            written();
            return etag;
        }

        public Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, Platform.DataPlane.ObjectStorage.PutCondition condition = default, CancellationToken cancellationToken = default) => inner.PutAsync(key, content, condition, cancellationToken);

        public IAsyncEnumerable<Platform.DataPlane.ObjectStorage.ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken = default) => inner.ListAsync(prefix, cancellationToken);

        public Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default) => inner.DeleteAsync(key, cancellationToken);
    }
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;
using Platform.Worker.Engines;
using Platform.Worker.Http;
using Platform.Worker.Models;

namespace Platform.Worker.Jobs;

/// <summary>One completion per prompt. Items run side by side, finished ones are kept, the results go out in the order of the input.</summary>
internal sealed class BatchInferHandler(ResidentModels models, IObjectStorage storage, TimeProvider time, IOptions<WorkerOptions> options) : IJobHandler
{
    public string Kind => JobKinds.BatchInfer;

    public async Task<JobResult> RunAsync(JobContext context, CancellationToken cancellationToken)
    {
        var spec = context.Spec;
        var manifest = context.Request.Model
            ?? throw new JobFailedException(new JobFailure(ErrorCodes.ModelNotFound, $"The lease came without the manifest of model '{spec.Model}'.", true));
        var input = await BatchInput.ReadAsync(spec, storage, options.Value.MaxInputBytes, cancellationToken);
        using var parts = new BatchParts(storage, context.Request, FingerprintOf(manifest, input), options.Value.KeepItemsEvery, time);
        var done = await parts.LoadAsync(input.Lines.Count, cancellationToken);
        context.Progress = new JobProgress(done.Count, input.Lines.Count);
        context.Log.Write($"{input.Lines.Count} item(s), {done.Count} of them finished by earlier attempts.");

        var lines = new string?[input.Lines.Count];
        foreach (var (index, line) in done)
        {
            lines[index] = line;
        }

        if (done.Count < lines.Length)
        {
            using var lease = await models.AcquireAsync(manifest, cancellationToken);
            (context.Staging, context.Loading) = (lease.Staged, lease.Loading);
            context.Log.Write($"Model '{manifest.Name}' is ready; read {lease.ObjectStoreBytes} bytes from object storage and {lease.NvmeBytes} from NVMe for it.");
            var finished = done.Count;
            var open = Enumerable.Range(0, lines.Length).Where(index => lines[index] is null).ToArray();
            await Parallel.ForEachAsync(open, new ParallelOptions { MaxDegreeOfParallelism = options.Value.BatchItems, CancellationToken = cancellationToken }, async (index, token) =>
            {
                var line = JsonSerializer.Serialize(await InferAsync(lease.Engine, context, input, index, token), BatchJson.Default.ItemResult);
                lines[index] = line;
                await parts.AddAsync(line, token);
                context.Progress = new JobProgress(Interlocked.Increment(ref finished), lines.Length);
            });
        }

        var key = ObjectKeys.JobResults(context.Request.JobId, context.Request.Token);
        await storage.PutAsync(key, Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n"), default, cancellationToken);
        return new JobResult(key, lines.Length, lines.Sum(line => (long)JsonSerializer.Deserialize(line!, BatchJson.Default.ItemResult)!.CompletionTokens));
    }

    public async Task CleanUpAsync(JobContext context, LeaseAnswer answer, CancellationToken cancellationToken)
    {
        // Refused by a job that has succeeded: it may be this very attempt, whose accepted report was not heard. What is nobody's result is found by the sweep.
        if (answer.State != JobState.Succeeded)
        {
            await storage.DeleteAsync(ObjectKeys.JobResults(context.Request.JobId, context.Request.Token), cancellationToken);
        }

        if (JobTransitions.IsTerminal(answer.State))
        {
            await BatchParts.DeleteAsync(storage, context.Request.JobId, cancellationToken);
        }
    }

    private static async Task<ItemResult> InferAsync(IEngine engine, JobContext context, BatchInput input, int index, CancellationToken cancellationToken)
    {
        try
        {
            var item = input.ItemAt(index);
            var text = new StringBuilder();
            var tokens = 0;
            FinishReason? finish = null;
            var request = new GenerationRequest
            {
                Prompt = item.Prompt!,
                MaxTokens = item.MaxTokens ?? context.Spec.MaxTokens,
                Temperature = item.Temperature ?? context.Spec.Temperature,
                Seed = SeedOf(context.Request.JobId, index),
            };
            await foreach (var token in engine.GenerateAsync(request, cancellationToken))
            {
                text.Append(token.Text);
                finish = token.Finish ?? finish;
                tokens++;
            }

            return new ItemResult { Index = index, Text = text.ToString(), FinishReason = CompletionShape.NameOf(finish), PromptTokens = engine.CountTokens(request.Prompt), CompletionTokens = tokens };
        }
        catch (JsonException fault)
        {
            return Failed(index, ErrorCodes.InvalidJson, $"Line {index + 1} is not a prompt: {fault.Message}");
        }
        catch (EngineException fault) when (fault.Code is ErrorCodes.PromptEmpty or ErrorCodes.PromptTooLong or ErrorCodes.InvalidRequest)
        {
            return Failed(index, fault.Code, fault.Message);
        }
    }

    private static ItemResult Failed(int index, string code, string message) => new() { Index = index, Error = new ItemError(code, message) };

    /// <summary>The same in every attempt, so that sampled texts do not depend on which attempt made them.</summary>
    private static long SeedOf(string jobId, int index) => BitConverter.ToInt64(SHA256.HashData(Encoding.UTF8.GetBytes($"{jobId}/{index}")));

    private static string FingerprintOf(ModelManifest model, BatchInput input) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{model.Name} {string.Join(' ', model.Files.Select(file => $"{file.Name}={file.ETag}"))} {input.Version}")));
}

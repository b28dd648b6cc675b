using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;
using Platform.Jobs;
using Platform.Worker.Engines;
using Platform.Worker.Models;

namespace Platform.Worker.Http;

/// <summary>The two OpenAI routes. The response headers go out with the first token: until then every failure is an ordinary error answer, and the caller may try another worker.</summary>
internal sealed class CompletionEndpoints(
    ResidentModels models,
    IModelManifests manifests,
    InFlightCalls inFlight,
    WorkerNode node,
    WorkerMetrics metrics,
    TimeProvider time,
    IOptions<WorkerOptions> options,
    ILogger<CompletionEndpoints> logger)
{
    private static readonly byte[] Data = "data: "u8.ToArray();
    private static readonly byte[] EndOfEvent = "\n\n"u8.ToArray();
    private static readonly byte[] Done = "[DONE]"u8.ToArray();

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost(Routes.WorkerCompletions, static async (HttpContext context, CompletionEndpoints completions) =>
            await completions.RunAsync(context, CompletionCall.From(await ReadAsync(context, OpenAiJson.Default.CompletionBody))));
        routes.MapPost(Routes.WorkerChatCompletions, static async (HttpContext context, CompletionEndpoints completions) =>
            await completions.RunAsync(context, CompletionCall.From(await ReadAsync(context, OpenAiJson.Default.ChatBody))));
    }

    private async Task RunAsync(HttpContext context, CompletionCall call)
    {
        var cancelled = context.RequestAborted;
        var arrived = time.GetTimestamp();
        using var place = inFlight.TryEnter(options.Value.MaxInFlight) ?? throw RequestException.TooMany(options.Value.MaxInFlight, node.Name, models.IsLoading(call.Model), models.ReadyIn(call.Model));
        using var lease = await models.AcquireAsync(await manifests.FindAsync(context, call.Model, cancelled), cancelled);

        var ready = time.GetTimestamp();
        var prompt = call.Prompt(lease.Engine);
        var promptTokens = lease.Engine.CountTokens(prompt);
        await using var tokens = lease.Engine.GenerateAsync(call.Request with { Prompt = prompt }, cancelled).GetAsyncEnumerator(cancelled);
        var any = await tokens.MoveNextAsync();
        var began = time.GetTimestamp();
        var timing = CallTiming.Of(lease, time.GetElapsedTime(ready, began));
        metrics.FirstToken(time.GetElapsedTime(arrived), lease.Staged + lease.Loading > TimeSpan.Zero);
        var headers = context.Response.Headers;
        headers[ServerTiming.Header] = timing;
        headers[Routes.ObjectStoreBytesHeader] = lease.ObjectStoreBytes.ToString();
        headers[Routes.NvmeBytesHeader] = lease.NvmeBytes.ToString();
        headers[Routes.WorkerHeader] = node.Name;

        var id = (call.IsChat ? "chatcmpl-" : "cmpl-") + Guid.NewGuid().ToString("n");
        var shape = new CompletionShape(call.IsChat, id, call.Model, time.GetUtcNow().ToUnixTimeSeconds());
        var answer = new Answer(tokens, any, promptTokens);
        try
        {
            await (call.Stream ? StreamAsync(context, shape, answer, call.IncludeUsage, began) : WriteWholeAsync(context, shape, answer, () => CallTiming.WithRate(timing, answer.Count, time.GetElapsedTime(began))));
            metrics.CallEnded(answer.BrokeOff ? "broken" : "completed", answer.Count);
            HttpLog.Completed(logger, id, call.Model, promptTokens, answer.Count, CompletionShape.NameOf(answer.Finish) ?? "no reason", lease.ObjectStoreBytes, lease.NvmeBytes, timing);
        }
        catch (OperationCanceledException) when (cancelled.IsCancellationRequested)
        {
            metrics.CallEnded("left", answer.Count);
            HttpLog.GivenUp(logger, id, call.Model, answer.Count);
        }
    }

    private static async Task WriteWholeAsync(HttpContext context, CompletionShape shape, Answer answer, Func<string> timing)
    {
        var text = new StringBuilder();
        while (answer.HasToken)
        {
            text.Append(answer.Text);
            await answer.NextAsync();
        }

        context.Response.ContentType = "application/json";
        context.Response.Headers[ServerTiming.Header] = timing();
        await context.Response.Body.WriteAsync(shape.Whole(text.ToString(), answer.Finish, answer.Usage, answer.TakeLogprobs()), context.RequestAborted);
    }

    private async Task StreamAsync(HttpContext context, CompletionShape shape, Answer answer, bool includeUsage, long began)
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache";
        try
        {
            if (shape.First() is { } first)
            {
                await WriteEventAsync(context, first);
            }

            while (answer.HasToken)
            {
                if (answer.Text.Length > 0)
                {
                    await WriteEventAsync(context, shape.Piece(answer.Text, answer.TakeLogprobs()));
                }

                await answer.NextAsync();
            }

            await WriteEventAsync(context, shape.Last(answer.Finish, answer.TakeLogprobs()));
            if (includeUsage)
            {
                await WriteEventAsync(context, shape.UsageChunk(answer.Usage));
            }

            if (CallTiming.CommentOf(answer.Count, time.GetElapsedTime(began)) is { } comment)
            {
                context.Response.BodyWriter.Write(comment);
            }
        }
        catch (Exception fault) when (fault is not OperationCanceledException && context.Response.HasStarted)
        {
            // The status is gone; the error takes the place of a chunk, as OpenAI's clients expect it.
            var problem = RequestFault.ProblemOf(fault) ?? Problem.Of(500, ErrorCodes.Internal, "The generation broke off; the worker's log has the reason.");
            answer.BrokeOff = true;
            HttpLog.BrokeOff(logger, shape.Id, shape.Model, answer.Count, fault.Message);
            await WriteEventAsync(context, JsonSerializer.SerializeToUtf8Bytes(new StreamError(problem.Error), OpenAiJson.Default.StreamError));
        }

        await WriteEventAsync(context, Done);
    }

    /// <summary>One server-sent event, flushed, so that a token is seen when it is made.</summary>
    private static async Task WriteEventAsync(HttpContext context, byte[] json)
    {
        var writer = context.Response.BodyWriter;
        writer.Write(Data);
        writer.Write(json);
        writer.Write(EndOfEvent);
        await writer.FlushAsync(context.RequestAborted);
    }

    private static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted)
                ?? throw new RequestException(ErrorCodes.InvalidJson, "The body is null; expected a JSON object.");
        }
        catch (JsonException fault)
        {
            throw new RequestException(ErrorCodes.InvalidJson, $"The body is not the expected JSON: {fault.Message}");
        }
    }

    /// <summary>The tokens of one call, one ahead.</summary>
    private sealed class Answer(IAsyncEnumerator<GeneratedToken> tokens, bool any, int promptTokens)
    {
        private List<TokenLogprobs>? _logprobs = LogprobsOf(tokens, any);

        public bool HasToken { get; private set; } = any;

        public string Text => tokens.Current.Text;

        public FinishReason? Finish { get; private set; }

        public int Count { get; private set; }

        public bool BrokeOff { get; set; }

        public Usage Usage => new(promptTokens, Count, promptTokens + Count);

        public async Task NextAsync()
        {
            Count++;
            Finish = tokens.Current.Finish ?? Finish;
            HasToken = await tokens.MoveNextAsync();
            if (LogprobsOf(tokens, HasToken) is { } logprobs)
            {
                (_logprobs ??= []).AddRange(logprobs);
            }
        }

        /// <summary>Those of the tokens since the last call, the current one with them; null if none were asked for.</summary>
        public List<TokenLogprobs>? TakeLogprobs()
        {
            var taken = _logprobs;
            _logprobs = null;
            return taken;
        }

        private static List<TokenLogprobs>? LogprobsOf(IAsyncEnumerator<GeneratedToken> tokens, bool any) => any && tokens.Current.Logprobs is { } logprobs ? [.. logprobs] : null;
    }
}

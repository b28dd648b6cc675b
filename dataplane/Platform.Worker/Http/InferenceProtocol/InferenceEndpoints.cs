using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Options;
using Platform.Jobs;
using Platform.Worker.Engines;
using Platform.Worker.Models;

namespace Platform.Worker.Http.InferenceProtocol;

/// <summary>The Open Inference Protocol v2 of one node: <c>infer</c>, and the extensions <c>generate</c> and <c>generate_stream</c>. As with completions, response headers go out with the first token.</summary>
internal sealed class InferenceEndpoints(
    ResidentModels models,
    IModelManifests manifests,
    InFlightCalls inFlight,
    WorkerNode node,
    WorkerMetrics metrics,
    TimeProvider time,
    IOptions<WorkerOptions> options,
    ILogger<InferenceEndpoints> logger)
{
    private static readonly byte[] Data = "data: "u8.ToArray();
    private static readonly byte[] EndOfEvent = "\n\n"u8.ToArray();

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost(Routes.WorkerInfer("{model}"), static (HttpContext context, string model, InferenceEndpoints endpoints) => endpoints.AnswerAsync(context, model, endpoints.InferAsync));
        routes.MapPost(Routes.WorkerGenerate("{model}"), static (HttpContext context, string model, InferenceEndpoints endpoints) => endpoints.AnswerAsync(context, model, endpoints.GenerateAsync));
        routes.MapPost(Routes.WorkerGenerateStream("{model}"), static (HttpContext context, string model, InferenceEndpoints endpoints) => endpoints.AnswerAsync(context, model, endpoints.StreamAsync));
    }

    /// <summary>Failures before the first byte have the protocol's own body.</summary>
    private async Task AnswerAsync(HttpContext context, string model, Func<HttpContext, string, Task> run)
    {
        try
        {
            await run(context, model);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            metrics.CallEnded("left", 0);
        }
        catch (Exception fault) when (!context.Response.HasStarted)
        {
            var problem = RequestFault.ProblemOf(fault);
            if (problem is null)
            {
                HttpLog.Failed(logger, fault, context.Request.Method, context.Request.Path);
                problem = Problem.Of(500, ErrorCodes.Internal, $"An error of ours; the worker's log has it under trace id {System.Diagnostics.Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier}.");
            }

            context.Response.Clear();
            context.Response.StatusCode = problem.Status;
            context.Response.ContentType = "application/json";
            if (problem.Status is 429 or 503)
            {
                context.Response.Headers.RetryAfter = RequestFault.RetryAfterOf(fault);
            }

            await context.Response.Body.WriteAsync(InferenceError.Of(problem).ToUtf8(), context.RequestAborted);
        }
    }

    private async Task InferAsync(HttpContext context, string model)
    {
        var call = InferenceCall.Parse(await ReadAsync(context), JsonBytes(context.Request));
        using var place = Enter(model);
        using var lease = await AcquireAsync(context, model);
        var ready = time.GetTimestamp();
        var began = 0L;
        using var together = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var runs = call.Prompts.Select(prompt => CompleteAsync(lease.Engine, call.Request with { Prompt = prompt }, () => Interlocked.CompareExchange(ref began, time.GetTimestamp(), 0), together)).ToArray();
        var results = await Task.WhenAll(runs);
        SetHeaders(context, lease, ready, began, results.Sum(result => result.Tokens));
        var (body, jsonBytes) = InferenceAnswer.Write(model, call, results);
        context.Response.ContentType = jsonBytes is null ? "application/json" : "application/octet-stream";
        if (jsonBytes is { } length)
        {
            context.Response.Headers[Routes.InferenceHeaderLength] = length.ToString(CultureInfo.InvariantCulture);
        }

        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
        metrics.CallEnded("completed", results.Sum(result => result.Tokens));
    }

    /// <summary>One prompt of a batch; its failure ends the others, since the call fails as a whole.</summary>
    private static async Task<InferenceResult> CompleteAsync(IEngine engine, GenerationRequest request, Action first, CancellationTokenSource together)
    {
        try
        {
            var text = new StringBuilder();
            var tokens = 0;
            FinishReason? finish = null;
            await foreach (var token in engine.GenerateAsync(request, together.Token))
            {
                first();
                tokens++;
                text.Append(token.Text);
                finish = token.Finish ?? finish;
            }

            return new InferenceResult(text.ToString(), CompletionShape.NameOf(finish), tokens);
        }
        catch
        {
            await together.CancelAsync();
            throw;
        }
    }

    private async Task GenerateAsync(HttpContext context, string model)
    {
        var call = GenerateCall.Parse(await ReadAsync(context));
        using var place = Enter(model);
        using var lease = await AcquireAsync(context, model);
        var ready = time.GetTimestamp();
        var began = 0L;
        using var together = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var result = await CompleteAsync(lease.Engine, call.Request, () => began = began == 0 ? time.GetTimestamp() : began, together);
        SetHeaders(context, lease, ready, began, result.Tokens);
        context.Response.ContentType = "application/json";
        await context.Response.Body.WriteAsync(InferenceAnswer.WriteText(model, call.Id, result.Text, result.FinishReason), context.RequestAborted);
        metrics.CallEnded("completed", result.Tokens);
    }

    private async Task StreamAsync(HttpContext context, string model)
    {
        var call = GenerateCall.Parse(await ReadAsync(context));
        using var place = Enter(model);
        using var lease = await AcquireAsync(context, model);
        var ready = time.GetTimestamp();
        var began = ready;
        var tokens = 0;
        try
        {
            await foreach (var token in lease.Engine.GenerateAsync(call.Request, context.RequestAborted))
            {
                if (tokens++ == 0)
                {
                    began = time.GetTimestamp();
                    SetHeaders(context, lease, ready, began);
                    context.Response.ContentType = "text/event-stream";
                    context.Response.Headers.CacheControl = "no-cache";
                }

                if (token.Text.Length > 0 || token.Finish is not null)
                {
                    await WriteEventAsync(context, InferenceAnswer.WriteText(model, call.Id, token.Text, CompletionShape.NameOf(token.Finish)));
                }
            }

            if (CallTiming.CommentOf(tokens, time.GetElapsedTime(began)) is { } comment)
            {
                await context.Response.Body.WriteAsync(comment, context.RequestAborted);
            }

            metrics.CallEnded("completed", tokens);
        }
        catch (Exception fault) when (fault is not OperationCanceledException && context.Response.HasStarted)
        {
            // The status is gone; the protocol's error takes the place of an answer.
            var problem = RequestFault.ProblemOf(fault) ?? Problem.Of(500, ErrorCodes.Internal, "The generation broke off; the worker's log has the reason.");
            HttpLog.BrokeOff(logger, call.Id ?? "", model, tokens, fault.Message);
            metrics.CallEnded("broken", tokens);
            await WriteEventAsync(context, InferenceError.Of(problem).ToUtf8());
        }
    }

    private static async Task WriteEventAsync(HttpContext context, byte[] json)
    {
        var writer = context.Response.BodyWriter;
        writer.Write(Data);
        writer.Write(json);
        writer.Write(EndOfEvent);
        await writer.FlushAsync(context.RequestAborted);
    }

    private IDisposable Enter(string model) => inFlight.TryEnter(options.Value.MaxInFlight) ?? throw RequestException.TooMany(options.Value.MaxInFlight, node.Name, models.IsLoading(model), models.ReadyIn(model));

    private async Task<ModelLease> AcquireAsync(HttpContext context, string model) => Names.IsModel(model)
        ? await models.AcquireAsync(await manifests.FindAsync(context, model, context.RequestAborted), context.RequestAborted)
        : throw new RequestException(ErrorCodes.ModelNotFound, $"'{model}' is not a model name; expected {Names.ModelRule}.");

    /// <param name="context">The call.</param>
    /// <param name="lease">Its model.</param>
    /// <param name="ready">When the model was.</param>
    /// <param name="began">When its first token was there; 0 if it made none.</param>
    /// <param name="tokens">All that it made, if that is known by now.</param>
    private void SetHeaders(HttpContext context, ModelLease lease, long ready, long began, int tokens = 0)
    {
        var firstToken = time.GetElapsedTime(ready, began == 0 ? time.GetTimestamp() : began);
        metrics.FirstToken(lease.Staged + lease.Loading + firstToken, lease.Staged + lease.Loading > TimeSpan.Zero);
        var headers = context.Response.Headers;
        headers[ServerTiming.Header] = CallTiming.WithRate(CallTiming.Of(lease, firstToken), tokens, began == 0 ? TimeSpan.Zero : time.GetElapsedTime(began));
        headers[Routes.ObjectStoreBytesHeader] = lease.ObjectStoreBytes.ToString(CultureInfo.InvariantCulture);
        headers[Routes.NvmeBytesHeader] = lease.NvmeBytes.ToString(CultureInfo.InvariantCulture);
        headers[Routes.WorkerHeader] = node.Name;
    }

    private static int? JsonBytes(HttpRequest request)
    {
        var text = request.Headers[Routes.InferenceHeaderLength].ToString();
        return text.Length == 0 ? null
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? length
            : throw new RequestException(ErrorCodes.InvalidRequest, $"{Routes.InferenceHeaderLength} is '{text}'; expected the length of the JSON in bytes.");
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext context)
    {
        using var buffer = new MemoryStream();
        await context.Request.Body.CopyToAsync(buffer, context.RequestAborted);
        return buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
    }
}

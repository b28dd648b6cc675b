using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Platform.Dapr;
using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>Sends a completion to a worker that has the model ready; if there is none, holds the call while one gets it.</summary>
internal sealed class CompletionRouter(
    NodeTableCache table,
    PowerOfTwoChoicesPolicy policy,
    RecentReplicas recent,
    CallsByWorker calls,
    HeldCalls held,
    ControlClient control,
    DaprInvoker dapr,
    TimeProvider time,
    IOptions<RouterOptions> options,
    ILogger<CompletionRouter> logger)
{
    private static readonly TimeSpan ComeBack = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(100);

    /// <summary>Completes when a worker's response headers are here: its first token exists, or it refused. A worker that is lost before that is replaced.</summary>
    /// <param name="request">The call.</param>
    /// <param name="arrived">Timestamp of its arrival.</param>
    /// <param name="cancellationToken">Aborts the call, at the worker too.</param>
    /// <exception cref="ProblemException">The model is unknown, nobody can serve it, too many calls are held, or every worker tried was lost.</exception>
    public async Task<RoutedResponse> SendAsync(CompletionRequest request, long arrived, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(options.Value.HoldLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await TryWorkersAsync(request, arrived, either.Token);
        }
        catch (ProblemException refused)
        {
            refused.Timing = TimingOf(arrived);
            throw;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ProblemException(Problem.Of(503, ErrorCodes.Unavailable, $"Model '{request.Model}' gave no token within {options.Value.HoldLimit.TotalSeconds:0} s. Warm it first: POST /api/models/{request.Model}/warm."), ComeBack) { Timing = TimingOf(arrived) };
        }
    }

    /// <summary>Where the time of a call went that no worker answered.</summary>
    private string TimingOf(long arrived) => ServerTiming.Format([new(ServerTiming.Queued, time.GetElapsedTime(arrived))]);

    private async Task<RoutedResponse> TryWorkersAsync(CompletionRequest request, long arrived, CancellationToken cancellationToken)
    {
        var avoid = new List<string>();
        var hot = true;
        var refusals = 0;
        IDisposable? place = null;
        try
        {
            while (true)
            {
                var placing = time.GetTimestamp();
                var worker = hot ? policy.Pick(await table.GetAsync(cancellationToken), request.Model, avoid) ?? recent.Find(request.Model) : null;
                ModelManifest? manifest = null;
                if (worker is null)
                {
                    hot = false;
                    place ??= held.TryEnter() ?? throw TooMany(request.Model, await table.GetAsync(cancellationToken));
                    (worker, manifest) = await PlaceAsync(request.Model, avoid, arrived, cancellationToken);
                }

                var placed = time.GetElapsedTime(placing);
                var queued = time.GetElapsedTime(arrived, placing);
                var call = calls.Begin(worker);
                try
                {
                    var response = await SendToAsync(worker, request, manifest, cancellationToken);
                    if (await RefusesAsync(response, hot, cancellationToken) is not { } refusal || ++refusals == options.Value.MaxRefusals)
                    {
                        Remember(request.Model, worker, response);
                        return new RoutedResponse(response, worker, queued, placed, call);
                    }

                    response.Dispose();
                    logger.WorkerLost(worker, request.Model, refusal);
                    AvoidUnlessForgotten(avoid, worker, response.StatusCode);
                }
                catch (DaprInvocationException exception) when (exception.IsTransport)
                {
                    logger.WorkerLost(worker, request.Model, exception.Message);
                    await LeaveOutAsync(avoid, worker, exception, request.Model, arrived, cancellationToken);
                }
                catch
                {
                    call.Dispose();
                    throw;
                }

                call.Dispose();
                recent.Forget(request.Model);
                hot = false;
            }
        }
        finally
        {
            place?.Dispose();
        }
    }

    /// <summary>Leaves out a worker that could not be reached. Once all have been tried, gives them time to come back: a killed worker is started again within seconds.</summary>
    private async Task LeaveOutAsync(List<string> avoid, string worker, DaprInvocationException lost, string model, long arrived, CancellationToken cancellationToken)
    {
        if (!avoid.Contains(worker))
        {
            avoid.Add(worker);
            return;
        }

        if (time.GetElapsedTime(arrived) >= options.Value.WorkerPatience)
        {
            throw new ProblemException(Problem.Of(502, ErrorCodes.WorkerLost, $"No worker answered the call of model '{model}' within {options.Value.WorkerPatience.TotalSeconds:0} s; tried {string.Join(", ", avoid)}. Last: {lost.Message}"), ComeBack);
        }

        avoid.Clear();
        await Task.Delay(RetryPause, time, cancellationToken);
    }

    private void Remember(string model, string worker, HttpResponseMessage response)
    {
        if (response.IsSuccessStatusCode)
        {
            recent.Served(model, worker);
        }
    }

    /// <summary>A worker that forgot the model gets it again with the manifest; one that cannot take the call is left out.</summary>
    private static void AvoidUnlessForgotten(List<string> avoid, string worker, HttpStatusCode status)
    {
        if (status != HttpStatusCode.NotFound)
        {
            avoid.Add(worker);
        }
    }

    private async Task<(string Worker, ModelManifest Manifest)> PlaceAsync(string model, List<string> avoid, long arrived, CancellationToken cancellationToken)
    {
        while (true)
        {
            var answer = await control.EnsureReplicaAsync(model, avoid, cancellationToken);
            if (answer.Manifest is null)
            {
                throw CompletionRequest.UnknownModel(model);
            }

            if (answer.Worker is { } worker)
            {
                logger.ColdCall(model, worker, answer.Reason);
                return (worker, answer.Manifest);
            }

            if (time.GetElapsedTime(arrived) >= options.Value.WorkerPatience)
            {
                throw new ProblemException(Problem.Of(503, ErrorCodes.NoWorker, $"No worker can serve model '{model}': {answer.Reason}"), ComeBack);
            }

            avoid.Clear();
            await Task.Delay(RetryPause, time, cancellationToken);
        }
    }

    private async Task<HttpResponseMessage> SendToAsync(string worker, CompletionRequest request, ModelManifest? manifest, CancellationToken cancellationToken)
    {
        using var message = dapr.CreateInvokeMethodRequest(HttpMethod.Post, worker, request.Route);
        message.Content = new ByteArrayContent(request.Body);
        message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (request.Header is { } header)
        {
            message.Headers.TryAddWithoutValidation(header.Key, header.Value);
        }

        if (manifest is not null)
        {
            message.Headers.Add(Routes.ManifestHeader, Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(manifest, JobsJson.Default.ModelManifest)));
        }

        // A short answer is taken whole: a worker that is lost in the middle of it can still be replaced.
        return await dapr.SendAsync(message, request.Stream ? HttpCompletionOption.ResponseHeadersRead : HttpCompletionOption.ResponseContentRead, cancellationToken);
    }

    /// <summary>Why another worker, or the cold path, should take the call; null if the answer is for the client.</summary>
    private static async Task<string?> RefusesAsync(HttpResponseMessage response, bool hot, CancellationToken cancellationToken)
    {
        var isFull = response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests;
        if (!isFull && (response.StatusCode != HttpStatusCode.NotFound || !hot))
        {
            return null;
        }

        await response.Content.LoadIntoBufferAsync(cancellationToken);
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        return isFull
            ? body.Contains($"\"{ErrorCodes.ModelLoading}\"", StringComparison.Ordinal) ? null : $"it declined with {(int)response.StatusCode}"
            : body.Contains(ErrorCodes.ModelNotFound, StringComparison.Ordinal) ? "it no longer has the model" : null;
    }

    /// <summary>Says when to come back: when the model is expected to be ready, if a node is loading it and knows.</summary>
    private ProblemException TooMany(string model, NodeTable nodes)
    {
        var known = nodes.Nodes.Where(node => node.Alive && node.Heartbeat.ReadyInSeconds.ContainsKey(model)).Select(node => node.Heartbeat.ReadyInSeconds[model]).ToList();
        var wait = known.Count > 0 && TimeSpan.FromSeconds(known.Min()) is var ready && ready > ComeBack ? ready : ComeBack;
        return new ProblemException(
            Problem.Of(429, ErrorCodes.TooManyRequests, string.Create(CultureInfo.InvariantCulture, $"{options.Value.MaxHeldCalls} calls are held for models that are being loaded, the limit (Router:MaxHeldCalls). Come back in {wait.TotalSeconds:0.#} s.")),
            wait);
    }
}

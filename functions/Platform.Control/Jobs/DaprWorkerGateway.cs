using Microsoft.Extensions.Options;
using Platform.Dapr;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Reaches workers through service invocation.</summary>
internal sealed class DaprWorkerGateway(DaprInvoker dapr, TimeProvider time, IOptions<ControlOptions> options) : IWorkerGateway
{
    public async Task<RunAnswer> OfferAsync(string worker, RunJobRequest request, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(options.Value.AcceptTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            await dapr.InvokeMethodAsync(HttpMethod.Post, worker, Routes.WorkerRunJob, request, JobsJson.Default.RunJobRequest, either.Token);
            return new RunAnswer(true, "accepted");
        }
        catch (DaprInvocationException fault)
        {
            return new RunAnswer(false, fault.IsTransport ? $"{worker} does not answer" : $"{worker} declined: {fault.Message}");
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return new RunAnswer(false, $"{worker} did not answer within {options.Value.AcceptTimeout}");
        }
    }

    public Task<TidyAnswer?> TidyAsync(string worker, string jobId, long? keepToken, CancellationToken cancellationToken) =>
        TryAsync<TidyAnswer>(async token => await dapr.InvokeMethodAsync(HttpMethod.Post, worker, $"{Routes.WorkerTidyJob(jobId)}?keep={keepToken}", JobsJson.Default.TidyAnswer, token), cancellationToken);

    public Task<MissingObjects?> PrefetchAsync(string worker, PrefetchRequest request, CancellationToken cancellationToken) =>
        TryAsync<MissingObjects>(async token => await dapr.InvokeMethodAsync(HttpMethod.Post, worker, Routes.WorkerPrefetch, request, JobsJson.Default.PrefetchRequest, JobsJson.Default.MissingObjects, token), cancellationToken);

    public async Task<bool> ForgetAsync(string worker, string jobId, CancellationToken cancellationToken) => await TryAsync<object>(
        async token =>
        {
            await dapr.InvokeMethodAsync(HttpMethod.Delete, worker, Routes.WorkerForgetJob(jobId), token);
            return worker;
        },
        cancellationToken) is not null;

    /// <summary>Null if the worker declined, or did not answer in time.</summary>
    private async Task<T?> TryAsync<T>(Func<CancellationToken, Task<T?>> call, CancellationToken cancellationToken)
        where T : class
    {
        using var timeout = new CancellationTokenSource(options.Value.AcceptTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await call(either.Token);
        }
        catch (Exception fault) when (fault is DaprInvocationException || timeout.IsCancellationRequested)
        {
            return null;
        }
    }
}

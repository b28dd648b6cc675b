using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>Calls the actors of control. All of these calls may be made twice without harm, so they are made again while control restarts.</summary>
internal sealed class ControlClient(ActorProxyFactory actors, TimeProvider time, IOptions<RouterOptions> options, ILogger<ControlClient> logger)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    public Task<SubmitAnswer> SubmitJobAsync(string id, JobSpec spec, CancellationToken cancellationToken) =>
        CallAsync(AppIds.JobActor, id, "Submit", spec, JobsJson.Default.JobSpec, JobsJson.Default.SubmitAnswer, cancellationToken);

    /// <summary>Null if there is no such job.</summary>
    public Task<JobStatus?> DispatchJobAsync(string id, CancellationToken cancellationToken) => CallAsync(AppIds.JobActor, id, "Dispatch", JobsJson.Default.JobStatus, cancellationToken);

    /// <inheritdoc cref="DispatchJobAsync"/>
    public Task<JobStatus?> GetJobAsync(string id, CancellationToken cancellationToken) => CallAsync(AppIds.JobActor, id, "Get", JobsJson.Default.JobStatus, cancellationToken);

    /// <inheritdoc cref="DispatchJobAsync"/>
    public Task<JobStatus?> CancelJobAsync(string id, CancellationToken cancellationToken) => CallAsync(AppIds.JobActor, id, "Cancel", JobsJson.Default.JobStatus, cancellationToken);

    /// <summary>Null if the job goes on, is unknown, or could not be cleaned up after now.</summary>
    public Task<TidyAnswer?> TidyJobAsync(string id, CancellationToken cancellationToken) => CallAsync(AppIds.JobActor, id, "Tidy", JobsJson.Default.TidyAnswer, cancellationToken);

    public Task<JobList> ListJobsAsync(JobListRequest request, CancellationToken cancellationToken) =>
        CallAsync(AppIds.JobIndexActor, AppIds.IndexActorId, "List", request, JobsJson.Default.JobListRequest, JobsJson.Default.JobList, cancellationToken);

    public Task<UsageTable> UsageAsync(UsageRequest request, CancellationToken cancellationToken) =>
        CallAsync(AppIds.JobIndexActor, AppIds.IndexActorId, "Usage", request, JobsJson.Default.UsageRequest, JobsJson.Default.UsageTable, cancellationToken);

    public Task<ModelManifest> PublishModelAsync(ModelManifest manifest, CancellationToken cancellationToken) =>
        CallAsync(AppIds.ModelActor, manifest.Name, "Publish", manifest, JobsJson.Default.ModelManifest, JobsJson.Default.ModelManifest, cancellationToken);

    /// <summary>Null if there is no such model.</summary>
    public Task<ModelManifest?> GetModelAsync(string model, CancellationToken cancellationToken) => CallAsync(AppIds.ModelActor, model, "Get", JobsJson.Default.ModelManifest, cancellationToken);

    /// <inheritdoc cref="GetModelAsync"/>
    public Task<ModelManifest?> RemoveModelAsync(string model, CancellationToken cancellationToken) => CallAsync(AppIds.ModelActor, model, "Remove", JobsJson.Default.ModelManifest, cancellationToken);

    public Task<ModelSweep?> SweepModelAsync(string model, CancellationToken cancellationToken) => CallAsync(AppIds.ModelActor, model, "Sweep", JobsJson.Default.ModelSweep, cancellationToken);

    public Task<ReplicaAnswer> EnsureReplicaAsync(string model, IReadOnlyList<string> avoid, CancellationToken cancellationToken) =>
        CallAsync(AppIds.ModelActor, model, "EnsureReplica", new EnsureReplicaRequest(avoid), JobsJson.Default.EnsureReplicaRequest, JobsJson.Default.ReplicaAnswer, cancellationToken);

    public async Task<IReadOnlyList<ModelStatus>> ListModelsAsync(CancellationToken cancellationToken) =>
        await CallAsync(AppIds.ModelIndexActor, AppIds.IndexActorId, "List", JobsJson.Default.ListModelStatus, cancellationToken) ?? [];

    private Task<TResponse> CallAsync<TRequest, TResponse>(string type, string id, string method, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType, CancellationToken cancellationToken) =>
        WithPatienceAsync(() => actors.CreateActorProxy(type, id).InvokeMethodAsync(method, request, requestType, responseType, cancellationToken), cancellationToken);

    private Task<TResponse?> CallAsync<TResponse>(string type, string id, string method, JsonTypeInfo<TResponse> responseType, CancellationToken cancellationToken)
        where TResponse : class =>
        WithPatienceAsync<TResponse?>(async () => await actors.CreateActorProxy(type, id).InvokeMethodAsync(method, responseType, cancellationToken), cancellationToken);

    private async Task<T> WithPatienceAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var pause = FirstPause;
        while (true)
        {
            try
            {
                return await call();
            }
            catch (DaprActorException exception) when (exception is not DaprActorMethodException && time.GetElapsedTime(started) + pause < options.Value.ControlPatience)
            {
                logger.ControlAway(exception.Message);
                await Task.Delay(pause, time, cancellationToken);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }
    }
}

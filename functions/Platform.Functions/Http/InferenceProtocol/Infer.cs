using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http.InferenceProtocol;

/// <summary><c>POST /v2/models/{model}[/versions/{version}]/infer</c>: an inference request, dispatched as completions are.</summary>
internal sealed class InferFunction(InferenceRouter router)
{
    [Function("V2Infer")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "post", Route = "v2/models/{model}/infer")] HttpRequest request, string model, CancellationToken cancellationToken) =>
        router.SendAsync(request, model, null, Routes.WorkerInfer, stream: false, cancellationToken);

    [Function("V2InferVersion")]
    public Task<IResult> RunVersion([HttpTrigger(AuthorizationLevel.Function, "post", Route = "v2/models/{model}/versions/{version}/infer")] HttpRequest request, string model, string version, CancellationToken cancellationToken) =>
        router.SendAsync(request, model, version, Routes.WorkerInfer, stream: false, cancellationToken);
}

using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http.InferenceProtocol;

/// <summary><c>POST /v2/models/{model}[/versions/{version}]/generate</c>: one text, by the protocol's extension for language models.</summary>
internal sealed class GenerateFunction(InferenceRouter router)
{
    [Function("V2Generate")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "post", Route = "v2/models/{model}/generate")] HttpRequest request, string model, CancellationToken cancellationToken) =>
        router.SendAsync(request, model, null, Routes.WorkerGenerate, stream: false, cancellationToken);

    [Function("V2GenerateVersion")]
    public Task<IResult> RunVersion([HttpTrigger(AuthorizationLevel.Function, "post", Route = "v2/models/{model}/versions/{version}/generate")] HttpRequest request, string model, string version, CancellationToken cancellationToken) =>
        router.SendAsync(request, model, version, Routes.WorkerGenerate, stream: false, cancellationToken);
}

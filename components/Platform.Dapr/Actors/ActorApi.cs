using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>Calls under <c>/v1.0/actors/{type}/{id}/</c> of the sidecar, with failures as <see cref="DaprActorException"/>.</summary>
internal sealed class ActorApi(SidecarClient sidecar)
{
    /// <summary>Sends and drops the answer's body.</summary>
    public async Task SendAsync(HttpMethod httpMethod, string type, string id, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        using var response = await SendForAnswerAsync(httpMethod, type, id, path, content, cancellationToken);
    }

    /// <summary>Sends; the answer is a success and its body streams.</summary>
    /// <exception cref="DaprActorException">It is not a success.</exception>
    public async Task<HttpResponseMessage> SendForAnswerAsync(HttpMethod httpMethod, string type, string id, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(httpMethod, sidecar.AddressOf($"v1.0/actors/{PathSegment.Escape(type)}/{PathSegment.Escape(id)}/{path}")) { Content = content };
        HttpResponseMessage response;
        try
        {
            response = await sidecar.SendForAllAsync(request, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new DaprActorException($"The sidecar did not answer {httpMethod} {path} for actor {type}/{id}: {e.Message}", e)
            {
                ActorType = type,
                ActorId = id,
                Method = path,
                ErrorCode = DaprErrorCodes.SidecarUnreachable,
            };
        }

        if (response.IsSuccessStatusCode && !response.Headers.Contains(DaprHeaders.ErrorResponse))
        {
            return response;
        }

        using (response)
        {
            throw Failure(response, type, id, path, await SidecarAnswer.ReadAsync(response, cancellationToken));
        }
    }

    private static DaprActorException Failure(HttpResponseMessage response, string type, string id, string path, SidecarAnswer answer) => response.IsSuccessStatusCode
        ? new DaprActorMethodException(answer.Words)
        {
            ActorType = type,
            ActorId = id,
            Method = path,
            StatusCode = answer.Status,
            ErrorCode = answer.ErrorCode,
            Body = answer.Body,
        }
        : new DaprActorException($"{path} of actor {type}/{id} answered {(int)answer.Status}: {answer.Words}")
        {
            ActorType = type,
            ActorId = id,
            Method = path,
            StatusCode = answer.Status,
            ErrorCode = answer.ErrorCode,
            Body = answer.Body,
        };
}

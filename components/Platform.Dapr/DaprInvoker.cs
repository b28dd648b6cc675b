using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Platform.Dapr.Http;

namespace Platform.Dapr;

/// <summary>Service invocation: calls a method of another app by its id. Thread-safe.</summary>
/// <remarks>
/// <c>method</c> is the path at the callee, with its query if there is one; a leading slash is ignored. Every failure is a <see cref="DaprInvocationException"/>,
/// except that <see cref="SendAsync"/> hands over whatever the app answered.
/// </remarks>
public sealed class DaprInvoker
{
    private const int MaxErrorBytes = 64 * 1024;
    private static readonly HttpRequestOptionsKey<(string AppId, string Method)> Target = new("dapr-target");
    private readonly SidecarClient _sidecar;

    internal DaprInvoker(SidecarClient sidecar) => _sidecar = sidecar;

    /// <summary>Sends a JSON request and reads a JSON response.</summary>
    /// <exception cref="DaprInvocationException">The app was not reached, answered outside 200-299, or not with JSON of this type.</exception>
    public async Task<TResponse> InvokeMethodAsync<TRequest, TResponse>(
        HttpMethod httpMethod, string appId, string method, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType, CancellationToken cancellationToken = default)
    {
        using var message = CreateInvokeMethodRequest(httpMethod, appId, method, request, requestType);
        using var response = await SendForSuccessAsync(message, cancellationToken);
        return await ReadAsync(message, response, responseType, cancellationToken);
    }

    /// <summary>Sends no body and reads a JSON response.</summary>
    /// <inheritdoc cref="InvokeMethodAsync{TRequest, TResponse}" path="/exception"/>
    public async Task<TResponse> InvokeMethodAsync<TResponse>(HttpMethod httpMethod, string appId, string method, JsonTypeInfo<TResponse> responseType, CancellationToken cancellationToken = default)
    {
        using var message = CreateInvokeMethodRequest(httpMethod, appId, method);
        using var response = await SendForSuccessAsync(message, cancellationToken);
        return await ReadAsync(message, response, responseType, cancellationToken);
    }

    /// <summary>Sends a JSON request and ignores the response's body.</summary>
    /// <inheritdoc cref="InvokeMethodAsync{TRequest, TResponse}" path="/exception"/>
    public async Task InvokeMethodAsync<TRequest>(HttpMethod httpMethod, string appId, string method, TRequest request, JsonTypeInfo<TRequest> requestType, CancellationToken cancellationToken = default)
    {
        using var message = CreateInvokeMethodRequest(httpMethod, appId, method, request, requestType);
        using var response = await SendForSuccessAsync(message, cancellationToken);
    }

    /// <summary>Sends no body and ignores the response's body.</summary>
    /// <inheritdoc cref="InvokeMethodAsync{TRequest, TResponse}" path="/exception"/>
    public async Task InvokeMethodAsync(HttpMethod httpMethod, string appId, string method, CancellationToken cancellationToken = default)
    {
        using var message = CreateInvokeMethodRequest(httpMethod, appId, method);
        using var response = await SendForSuccessAsync(message, cancellationToken);
    }

    /// <summary>A request to fill and to send with <see cref="SendAsync"/>: any headers, any content.</summary>
    public HttpRequestMessage CreateInvokeMethodRequest(HttpMethod httpMethod, string appId, string method)
    {
        ArgumentException.ThrowIfNullOrEmpty(appId);
        var path = method.TrimStart('/');
        var request = new HttpRequestMessage(httpMethod, _sidecar.AddressOfMethod(appId, path));
        request.Options.Set(Target, (appId, path));
        return request;
    }

    /// <summary>A request with a JSON body.</summary>
    public HttpRequestMessage CreateInvokeMethodRequest<TRequest>(HttpMethod httpMethod, string appId, string method, TRequest body, JsonTypeInfo<TRequest> bodyType)
    {
        var request = CreateInvokeMethodRequest(httpMethod, appId, method);
        request.Content = JsonBody.From(body, bodyType);
        return request;
    }

    /// <summary>Sends a request made by <see cref="CreateInvokeMethodRequest(HttpMethod, string, string)"/>. Whatever the app answers is returned, 4xx and 5xx included; the caller disposes it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="completion">With <see cref="HttpCompletionOption.ResponseHeadersRead"/> the body streams as the app writes it.</param>
    /// <param name="cancellationToken">Aborts the call, at the app too.</param>
    /// <exception cref="DaprInvocationException">The app did not answer: the sidecar is away, the app is, or it is unknown.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, HttpCompletionOption completion = HttpCompletionOption.ResponseContentRead, CancellationToken cancellationToken = default)
    {
        HttpResponseMessage response;
        try
        {
            response = await _sidecar.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            var (appId, method) = TargetOf(request);
            throw new DaprInvocationException($"The sidecar at {request.RequestUri?.Authority} did not answer the call of '{method}' at app '{appId}': {e.Message}", e)
            {
                AppId = appId,
                Method = method,
                ErrorCode = DaprErrorCodes.SidecarUnreachable,
            };
        }

        try
        {
            await ThrowIfFromDaprAsync(request, response, cancellationToken);
            if (completion == HttpCompletionOption.ResponseContentRead)
            {
                await response.Content.LoadIntoBufferAsync(cancellationToken);
            }

            return response;
        }
        catch (HttpRequestException e)
        {
            response.Dispose();
            throw Failure(request, new SidecarAnswer(response.StatusCode, DaprErrorCodes.DirectInvoke, "the answer broke off: " + e.Message, null), e);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>Tells Dapr's own errors from an app's: only Dapr's are short JSON objects with an <c>errorCode</c> that starts with <c>ERR_</c>.</summary>
    private static async Task ThrowIfFromDaprAsync(HttpRequestMessage request, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.StatusCode is not (HttpStatusCode.InternalServerError or HttpStatusCode.NotFound or HttpStatusCode.Forbidden or HttpStatusCode.BadRequest)
            || response.Content.Headers is not { ContentType.MediaType: "application/json", ContentLength: <= MaxErrorBytes })
        {
            return;
        }

        await response.Content.LoadIntoBufferAsync(cancellationToken);
        var answer = SidecarAnswer.Parse(response.StatusCode, await response.Content.ReadAsByteArrayAsync(cancellationToken));
        if (answer.ErrorCode?.StartsWith("ERR_", StringComparison.Ordinal) == true)
        {
            throw Failure(request, answer);
        }
    }

    private async Task<HttpResponseMessage> SendForSuccessAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw Failure(request, await SidecarAnswer.ReadAsync(response, cancellationToken));
        }
    }

    private static async Task<T> ReadAsync<T>(HttpRequestMessage request, HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        try
        {
            var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            return JsonSerializer.Deserialize(body, type) ?? throw new JsonException($"found null, expected a {typeof(T).Name}");
        }
        catch (JsonException e)
        {
            throw Failure(request, new SidecarAnswer(response.StatusCode, null, $"the body is not the expected JSON: {e.Message}", null), e);
        }
        catch (HttpRequestException e)
        {
            throw Failure(request, new SidecarAnswer(response.StatusCode, DaprErrorCodes.DirectInvoke, "the answer broke off: " + e.Message, null), e);
        }
    }

    private static DaprInvocationException Failure(HttpRequestMessage request, SidecarAnswer answer, Exception? inner = null)
    {
        var (appId, method) = TargetOf(request);
        return new DaprInvocationException($"{request.Method} '{method}' at app '{appId}' answered {(int)answer.Status}: {answer.Words}", inner)
        {
            AppId = appId,
            Method = method,
            StatusCode = answer.Status,
            ErrorCode = answer.ErrorCode,
            Body = answer.Body,
        };
    }

    private static (string AppId, string Method) TargetOf(HttpRequestMessage request) =>
        request.Options.TryGetValue(Target, out var target) ? target : ("", request.RequestUri?.PathAndQuery ?? "");
}

using System.Net.Http.Headers;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Handler;

namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>Runs functions through the envelope: posts it, reads the answer, binds the outputs once the function has succeeded.</summary>
internal sealed class FunctionInvoker(HandlerSupervisor supervisor, OutputBinder outputs, HostSettings host, TimeProvider time, ILogger logger)
{
    /// <summary>Runs one invocation, retried as the function's policy says.</summary>
    /// <param name="function">The function.</param>
    /// <param name="envelope">Makes the envelope; called for each attempt.</param>
    /// <param name="cancellationToken">Ends the wait for the handler and the call.</param>
    /// <exception cref="InvocationException">The function failed, or answered what is no answer.</exception>
    public async Task<EnvelopeResponse> InvokeAsync(FunctionDefinition function, Func<EnvelopeRequest> envelope, CancellationToken cancellationToken)
    {
        InvocationException? last = null;
        for (var retry = 0; ; retry++)
        {
            var request = envelope();
            if (function.Retry is { } policy)
            {
                AddRetryContext(request, retry, policy.MaxRetryCount, last);
            }

            try
            {
                return await InvokeOnceAsync(function, request, cancellationToken);
            }
            catch (InvocationException exception) when (function.Retry is { } again && (again.MaxRetryCount < 0 || retry < again.MaxRetryCount))
            {
                last = exception;
                await Task.Delay(function.Retry!.Delay(retry + 1), time, cancellationToken);
            }
        }
    }

    /// <summary>Runs <paramref name="call"/> under functionTimeout; beyond it the handler is restarted, as hosts do.</summary>
    public async Task<T> WithTimeoutAsync<T>(FunctionDefinition function, HandlerGeneration generation, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        if (host.FunctionTimeout is not { } timeout)
        {
            return await call(cancellationToken);
        }

        using var deadline = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            return await call(either.Token);
        }
        catch (Exception exception) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested && exception is OperationCanceledException or InvocationException)
        {
            var reason = $"Function '{function.Name}' ran longer than functionTimeout ({timeout}).";
            supervisor.Restart(generation, reason);
            throw new InvocationException(reason, exception);
        }
    }

    private static void AddRetryContext(EnvelopeRequest request, int retry, int limit, InvocationException? last) => request.MetadataObject("RetryContext", writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("RetryCount", retry);
        writer.WriteNumber("MaxRetryCount", limit);
        writer.WriteString("Exception", last?.Message);
        writer.WriteEndObject();
    });

    private async Task<EnvelopeResponse> InvokeOnceAsync(FunctionDefinition function, EnvelopeRequest envelope, CancellationToken cancellationToken)
    {
        var invocationId = InvocationIds.Next();
        var body = envelope.ToUtf8();
        try
        {
            var answer = await supervisor.CallAsync(
                generation => WithTimeoutAsync(function, generation, deadline => PostAsync(function, generation, invocationId, body, deadline), cancellationToken),
                cancellationToken);
            await BindAsync(function, body, answer, cancellationToken);
            foreach (var line in answer.Logs)
            {
                logger.InvocationLog(function.Name, invocationId, line);
            }

            return answer;
        }
        catch (InvocationException exception)
        {
            logger.InvocationFailed(function.Name, invocationId, exception.Message);
            throw;
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // Whatever it is, it is this invocation that fails, and not the trigger behind it.
            logger.InvocationFailed(function.Name, invocationId, exception.Message);
            throw new InvocationException(exception.Message, exception);
        }
    }

    /// <summary>Whatever keeps an output from its queue fails the invocation: a full disk, a storage account that is away, a message that is too large.</summary>
    private async Task BindAsync(FunctionDefinition function, byte[] envelope, EnvelopeResponse answer, CancellationToken cancellationToken)
    {
        try
        {
            await outputs.BindAsync(function, envelope, answer, cancellationToken);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            throw new InvocationException($"The outputs of function '{function.Name}' were not sent: {exception.Message}", exception);
        }
    }

    private static async Task<EnvelopeResponse> PostAsync(FunctionDefinition function, HandlerGeneration generation, string invocationId, byte[] body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, function.Name) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json", "utf-8");
        request.Headers.Add(HostHeaders.InvocationId, invocationId);
        request.Headers.Add(HostHeaders.HostVersion, HostHeaders.ContractVersion);
        request.Headers.TryAddWithoutValidation("User-Agent", HostHeaders.UserAgent);
        using var response = await generation.Envelopes.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var answer = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            var said = System.Text.Encoding.UTF8.GetString(answer.AsSpan(0, Math.Min(answer.Length, 300)));
            throw new InvocationException($"The handler answered {(int)response.StatusCode} to POST /{function.Name}; only 2xx is success. It said: {said}");
        }

        return EnvelopeResponse.Parse(response.Content.Headers.ContentType?.MediaType, answer);
    }
}

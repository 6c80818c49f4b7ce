import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;
import java.util.function.Function;
import org.camunda.feel.api.EvaluationResult;
import org.camunda.feel.api.FeelEngineApi;
import org.camunda.feel.api.FeelEngineBuilder;
import org.camunda.feel.context.Context;
import org.camunda.feel.syntaxtree.Val;
import org.camunda.feel.syntaxtree.ValContext;
import org.camunda.feel.valuemapper.JavaCustomValueMapper;

/**
 * Evaluates the expressions on standard input, one a line, with the released FEEL engine on the class path.
 *
 * <p>The argument is a context with the variables. A line holds an expression, or unary tests and the expression of
 * their input; each in base64, as the answer is: PARSE, FAIL, or the value as FEEL writes it.
 */
public class FeelReference {
  /** Hands values out as they are, for their text. */
  static class AsTheyAre extends JavaCustomValueMapper {
    @Override
    public Optional<Val> toValue(Object value, Function<Object, Val> inner) {
      return Optional.empty();
    }

    @Override
    public Optional<Object> unpackValue(Val value, Function<Val, Object> inner) {
      return Optional.of(value);
    }
  }

  private final FeelEngineApi engine =
      FeelEngineBuilder.create().withCustomValueMapper(new AsTheyAre()).build();
  private final Context variables;

  FeelReference(String context) {
    variables = ((ValContext) engine.evaluateExpression(context, Context.EmptyContext$.MODULE$).result()).context();
  }

  String answer(String[] texts) {
    try {
      boolean unary = texts.length == 2;
      var parsed = unary ? engine.parseUnaryTests(texts[0]) : engine.parseExpression(texts[0]);
      if (parsed.isFailure()) {
        return "PARSE";
      }
      EvaluationResult result =
          unary
              ? engine.evaluateWithInput(
                  parsed.parsedExpression(), engine.evaluateExpression(texts[1], variables).result(), variables)
              : engine.evaluate(parsed.parsedExpression(), variables);
      return result.isSuccess() ? "= " + result.result() : "FAIL";
    } catch (Throwable broken) {
      return "FAIL";
    }
  }

  public static void main(String[] arguments) throws Exception {
    var reference = new FeelReference(arguments[0]);
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] texts = line.split(" ");
      for (int i = 0; i < texts.length; i++) {
        texts[i] = new String(Base64.getDecoder().decode(texts[i]), StandardCharsets.UTF_8);
      }
      out.println(Base64.getEncoder().encodeToString(reference.answer(texts).getBytes(StandardCharsets.UTF_8)));
    }
  }
}

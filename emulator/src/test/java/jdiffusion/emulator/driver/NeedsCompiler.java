package jdiffusion.emulator.driver;

import java.io.IOException;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/** A test that is skipped, and says so, where there is no C compiler to build the driver with. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(NeedsCompiler.Condition.class)
@interface NeedsCompiler {
    /** Whether cc can be started. */
    final class Condition implements ExecutionCondition {
        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            try {
                new ProcessBuilder("cc", "--version").redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
                return ConditionEvaluationResult.enabled("cc is here");
            } catch (IOException e) {
                return ConditionEvaluationResult.disabled("skipped: needs a C compiler (cc)");
            }
        }
    }
}
